"""The page about models: figures, trust, recommendations."""
