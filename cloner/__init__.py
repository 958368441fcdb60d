"""Both ends of a clone that copies through the network: reads a volume, sends it to the upload server of another."""
