"""The HTTP side: routes, middleware, replies, telemetry. It knows nothing of models."""
