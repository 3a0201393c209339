"""Anthropic's Messages: translated to and from Chat Completions, for clients and for upstreams."""
