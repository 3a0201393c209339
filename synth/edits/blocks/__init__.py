"""Edits as SEARCH/REPLACE blocks."""
