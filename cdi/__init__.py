"""Control plane and user command of the containerized data importer."""

__version__ = "0.1.0"
