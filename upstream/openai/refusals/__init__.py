"""Finds the refused parts of a request in an upstream's error reply."""

from upstream.openai.refusals.rules import find_quirks

__all__ = ["find_quirks"]
