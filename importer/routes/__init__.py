"""Routes: the ways from a source to a disk that a plan can choose, one module each, all run on a ``Job``."""
