"""Storage profiles: what a storage class can do, and what a claim on it looks like. Pure."""
