"""HTTP to upstreams: connections, exchanges, timeouts, server-sent events."""
