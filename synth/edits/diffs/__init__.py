"""Edits as unified diffs."""
