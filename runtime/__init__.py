"""Tools for the event loop and the interpreter. They know nothing of models or HTTP."""
