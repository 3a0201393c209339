"""Measures the gain of learning from feedback, in simulation and on recorded answers."""
