"""Embedded models: llama.cpp in child processes, and their weights."""
