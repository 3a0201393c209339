"""Writing a reply: its connection, its usage, and the work behind the answer as far as it is shown."""
