"""The page `/ui/ask` as a client: a question from a browser, answered with every member's text beside the answer."""
