"""How candidates become one answer; no HTTP in here."""
