"""Measures a mixture against its own members and against each ablation."""
