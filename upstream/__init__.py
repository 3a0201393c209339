"""Calling models; knows nothing of mixtures."""
