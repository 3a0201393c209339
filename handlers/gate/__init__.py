"""Who may come in: access, rates, admission, budgets."""
