"""A budget of steps for work on text from outside: deterministic, so that it can be tested without a clock. Pure."""

CHARS_PER_STEP = 64
"""How many characters a built-in method may scan for one step: `str.find`, `splitlines`, a linear pattern."""


class BudgetExceededError(Exception):
    """The work would take more steps than its budget has left."""


class Budget:
    """The steps that a piece of work may still take.

    One step is one turn of a Python loop, or `CHARS_PER_STEP` characters scanned by built-in code: below a microsecond
    on current hardware. Spend *before* doing the work, so that work beyond the budget never begins.
    """

    __slots__ = ("_steps",)

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def spend(self, steps: int) -> None:
        """Take steps off the budget. Raises BudgetExceededError if it does not have that many left."""
        self._steps -= steps
        if self._steps < 0:
            raise BudgetExceededError("the work exceeds its budget of steps")

    def spend_chars(self, chars: int) -> None:
        """Take the steps for scanning this many characters once."""
        self.spend(1 + chars // CHARS_PER_STEP)
