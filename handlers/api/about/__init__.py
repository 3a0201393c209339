"""Facts about the gateway: its health, its models and mixtures, its API as OpenAPI."""
