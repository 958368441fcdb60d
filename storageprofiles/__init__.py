"""What storage classes can do, and the claims that follow from it. Pure: no I/O."""
