"""Configuration: config.yaml and .env to frozen, validated settings."""

from config.dotenv import read_dotenv
from config.load import load
from config.problems import ConfigError

__all__ = ["ConfigError", "load", "read_dotenv"]
