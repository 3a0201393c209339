"""config.yaml -> frozen, validated settings."""

from config.load import load
from config.problems import ConfigError

__all__ = ["ConfigError", "load"]
