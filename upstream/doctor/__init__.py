"""The doctor: probes models and explains their failures."""
