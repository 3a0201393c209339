"""Ways to make candidates into one answer; a new mode is a module here."""
