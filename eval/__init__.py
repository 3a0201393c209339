"""Measures a mixture against its own members and against what it is made of."""
