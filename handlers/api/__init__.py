"""The HTTP API: one folder for each client API, and the parts they share."""
