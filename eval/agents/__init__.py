"""Replays a scripted agent session against ways of asking a panel, to compare their costs."""
