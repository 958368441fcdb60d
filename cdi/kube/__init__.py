"""Talking to a Kubernetes API server: credentials, client, watch caches, queues, leases. No knowledge of disks."""
