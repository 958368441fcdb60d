"""Clones by a populator: made by the storage itself where it can, else by a pod that copies. One method at a time."""
