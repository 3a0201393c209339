"""Reading a request: its body, its limits, the names that it may use, and the model or mixture that answers it."""
