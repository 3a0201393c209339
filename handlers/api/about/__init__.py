"""What the gateway says about itself: its health, its models and mixtures, its API as OpenAPI."""
