"""Probing models, and explaining their failures."""
