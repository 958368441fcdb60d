"""Leaves of the import graph: units, names, the fault catalogue. Imports nothing of ours."""
