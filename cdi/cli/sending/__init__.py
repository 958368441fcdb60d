"""Sending a file of this machine to an upload server, directly or through the upload proxy."""
