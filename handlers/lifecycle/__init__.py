"""Start, reload and shutdown of the gateway."""
