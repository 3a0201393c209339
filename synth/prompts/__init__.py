"""The prompts of the critic and of the reviewers."""
