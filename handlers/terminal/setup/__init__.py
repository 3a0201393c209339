"""The parts of `mom-gateway init`: find upstreams, propose a panel, write config.yaml and .env."""
