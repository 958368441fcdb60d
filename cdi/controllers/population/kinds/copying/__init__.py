"""Copying: a pod that has both claims of a clone copies from one to the other."""
