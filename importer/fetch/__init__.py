"""Fetching: ranged, parallel, resumable reading of a source, and the journal of what is already there."""
