"""Writing a reply: its connection, its usage, and what it shows of the work behind the answer."""
