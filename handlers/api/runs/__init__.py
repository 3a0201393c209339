"""Runs that answer requests, and that identical requests share."""
