"""Writing, reviewing and revising an answer."""
