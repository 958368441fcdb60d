"""The CDI object, as far as it is configuration: which one counts, and what its status says."""
