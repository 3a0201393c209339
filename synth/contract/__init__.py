"""The form that an answer must keep, and the checks of it."""
