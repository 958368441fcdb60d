"""DataSources: names for what is cloned, resolved and kept up to date."""
