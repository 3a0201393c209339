"""The HTTP API: one folder for each client API, and what they share."""
