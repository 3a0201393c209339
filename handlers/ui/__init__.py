"""The pages at /ui: what the kept traces tell, for people."""
