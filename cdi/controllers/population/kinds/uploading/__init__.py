"""Uploads: a worker waits for a client that sends the data."""
