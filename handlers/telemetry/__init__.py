"""Telemetry for operators: logs, metrics, spans."""
