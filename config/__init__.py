"""Configuration: config.yaml and .env to frozen, validated settings."""

from config.load import load
from config.source.dotenv import read_dotenv
from config.source.problems import ConfigError

__all__ = ["ConfigError", "load", "read_dotenv"]
