"""Whom one believes: certificates with their authorities and lifetimes, the signing key, and tokens."""
