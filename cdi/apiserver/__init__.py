"""The API server pod: admission webhooks."""
