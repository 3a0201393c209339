"""What the command line prints: banner, progress, doctor."""
