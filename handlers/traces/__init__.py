"""Traces of requests: collected, stored, rendered."""
