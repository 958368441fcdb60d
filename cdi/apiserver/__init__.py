"""The API server pod: admission webhooks and the aggregated API."""
