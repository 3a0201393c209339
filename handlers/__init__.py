"""The HTTP side: routes, middleware, replies, telemetry, independent of models."""
