"""Having the critic write, revise and review an answer."""
