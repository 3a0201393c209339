"""What running a candidate shows, and how it ranks candidates."""
