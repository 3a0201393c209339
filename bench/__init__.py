"""What the gateway adds, measured against a bare handler that does the same calls. See docs/performance.md."""
