"""The recipes of docs/architecture.md, carried out in a copy of the sources."""
