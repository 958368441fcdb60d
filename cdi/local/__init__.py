"""``cdi run``: the job of the controllers on one machine, with a directory for a cluster."""
