"""Replays a scripted agent session against ways of asking a panel: what each costs."""
