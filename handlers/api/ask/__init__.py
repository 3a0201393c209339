"""A question answered with the whole run in view: every member's text beside the answer, for people who watch."""
