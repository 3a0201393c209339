"""The form that an answer must keep."""
