"""What is installed in a cluster: manifests now, the operator that keeps them later."""
