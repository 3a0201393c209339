"""Makes one answer of candidates, independent of HTTP."""
