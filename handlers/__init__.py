"""HTTP in and out; nothing about models."""
