"""The words that the parts of the system share: annotations, names, owners, which CDI object counts. Pure."""
