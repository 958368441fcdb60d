"""One StorageProfile for each storage class."""
