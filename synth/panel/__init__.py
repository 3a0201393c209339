"""Asking the proposers."""
