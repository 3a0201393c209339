"""HTTP to upstreams: connections, exchanges, time-outs, server-sent events."""
