"""Benchmark: the gateway's cost against a bare handler that makes the same calls. See docs/performance.md."""
