"""The HTTP API: a folder for each client API, and shared ones for the intake, runs and replies of requests."""
