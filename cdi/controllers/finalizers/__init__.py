"""Finalizers that another version of CDI put on objects: nobody else would ever take them off."""
