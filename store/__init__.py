"""State that outlives the process: spend, rates, usage and feedback, in SQLite, Redis or memory."""
