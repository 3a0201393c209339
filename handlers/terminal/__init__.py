"""Output on the terminal: banner, progress, doctor."""
