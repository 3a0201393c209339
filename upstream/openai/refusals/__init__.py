"""What a refusal of an upstream shows about the parts of a request that a model does not take."""

from upstream.openai.refusals.rules import find_quirks

__all__ = ["find_quirks"]
