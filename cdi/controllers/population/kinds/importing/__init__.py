"""Imports: a worker fetches the data."""
