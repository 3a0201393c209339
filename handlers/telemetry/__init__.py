"""What operators see: logs, metrics, spans."""
