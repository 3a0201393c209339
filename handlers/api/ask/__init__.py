"""A question answered with the whole run visible: every member's text beside the answer, for people."""
