"""Access control, rate limits, admission, budgets."""
