"""Event-loop and interpreter tools; knows nothing of models or HTTP."""
