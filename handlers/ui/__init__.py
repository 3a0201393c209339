"""The pages at /ui: traces and statistics of requests, for people."""
