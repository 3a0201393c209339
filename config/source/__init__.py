"""Configuration files as text and trees: YAML, .env, substitution, and the problems found in them."""
