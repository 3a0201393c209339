"""Makes one answer from candidates, independent of HTTP."""
