"""Calls to models, independent of mixtures."""
