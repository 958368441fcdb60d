"""Receiving: an upload server whose one client is the pod that reads the source of a clone."""
