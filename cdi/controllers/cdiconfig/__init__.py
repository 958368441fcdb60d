"""The CDIConfig object: a copy of what the CDI object says, and what follows from it."""
