"""The MCP server: a panel as a tool of an agent that keeps its own model (https://modelcontextprotocol.io)."""
