"""The HTTP API: a folder for each client API, and what they share: intake, runs and replies of requests."""
