"""The data path: bytes of a disk image from a source into a raw, sparse, verified disk."""
