"""Edits in the form of apply_patch."""
