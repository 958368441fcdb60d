"""The user's command ``cdi``, one module per verb."""
