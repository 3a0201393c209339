"""Tools for the event loop and the interpreter, independent of models and HTTP."""
