"""Builds the sections of config.yaml, each from its checked values."""
