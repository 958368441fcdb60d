"""Uploads: the server in front of one volume, and the public proxy in front of all of them."""
