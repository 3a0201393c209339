"""The form that an answer must keep, and its checks."""
