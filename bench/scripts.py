"""The replies of the scripted upstream and their timing: one script for each mixture of config.yaml.

The model's id names script and member: `instant-a` is member `a` of the panel of `instant`,
`instant-critic` its critic.
"""

from dataclasses import dataclass
from typing import Literal

CRITIC = "critic"
PANEL = ("a", "b", "c")
TIMES_FASTER = 5
"""How much faster than real time the scripts with token timings run."""

_TTFT_S = 0.4 / TIMES_FASTER
_TOKEN_S = 1 / 60 / TIMES_FASTER
_TOKENS_PER_CHUNK = 5
_LONG_TAIL = 0.5
_SENTENCE = "The loop in the reader ends too early, because its bound is taken before the buffer has been filled. "
_CODE = "```python\ndef read_{member}(rows):\n{lines}    return total\n```"
_CODE_LINE = "    total = sum(row.price for row in rows if row.kind is not None)\n"
_FUNCTION = "```python\ndef add_up(rows):\n    total = {start}\n{lines}    return total\n```\n"
_FUNCTION_LINES = "    for row in rows:\n        total += row\n"


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of a model: `wait_s` until its first byte, then `write_s` for its text; streams have `n_chunks`."""

    wait_s: float = 0.0
    write_s: float = 0.0
    n_chunks: int = 60

    def times(self, wait: float, write: float) -> "Pace":
        """Return a pace with both times multiplied."""
        return Pace(self.wait_s * wait, self.write_s * write, self.n_chunks)


def tokens(n: int) -> Pace:
    """Return the pace of a hosted model that writes `n` tokens: 400 ms to the first, 60 a second, sped up."""
    return Pace(_TTFT_S, n * _TOKEN_S, max(1, n // _TOKENS_PER_CHUNK))


@dataclass(frozen=True, slots=True)
class Script:
    """How the models of one mixture behave.

    `tail` is the sigma of a log-normal factor on every time. A `stamped` reply states when its request arrived and
    when its own first byte left. With `caches`, a prompt with a known prefix is answered sooner. The
    panel's `drafts` are prose or code, different ones or `equal` ones; if they are code, a critic may pick one. Of
    drafts that are a `function`, only b's is right.
    """

    panel: Pace
    critic: Pace
    tail: float = 0.0
    stamped: bool = False
    caches: bool = False
    drafts: Literal["prose", "equal", "code", "function"] = "prose"

    def pace(self, member: str) -> Pace:
        """Return the pace of a member."""
        return self.critic if member == CRITIC else self.panel

    def text(self, member: str) -> str:
        """Return the answer of a member: about 1,200 characters, different for each unless drafts are equal."""
        if self.drafts == "code":
            return _CODE.format(member=member, lines=_CODE_LINE * 17)
        if self.drafts == "function":
            return _FUNCTION.format(start=abs(ord(member) - ord("b")), lines=_FUNCTION_LINES)
        return f"Draft {'x' if self.drafts == 'equal' else member}. " + _SENTENCE * 12


PICK = tokens(4)
_ANSWER, _SHORT_ANSWER = tokens(300), tokens(60)

SCRIPTS = {
    "instant": Script(Pace(), Pace()),
    "wait50": Script(Pace(0.05), Pace(0.05), stamped=True),
    "calm": Script(Pace(0.02), Pace(0.02, write_s=0.15, n_chunks=30), stamped=True),
    "paced": Script(Pace(0.02), Pace(0.02, write_s=1.0, n_chunks=50), stamped=True),
    "burst": Script(Pace(), Pace(n_chunks=300), stamped=True),
    "long": Script(Pace(20.0), Pace(10.0), stamped=True),
    "brief": Script(Pace(2.0), Pace(1.0), stamped=True),
    "select": Script(_ANSWER, _ANSWER, tail=_LONG_TAIL, drafts="code"),
    "equal": Script(_ANSWER, _ANSWER, tail=_LONG_TAIL, drafts="equal"),
    "quorum": Script(_ANSWER, _ANSWER, tail=_LONG_TAIL),
    "code": Script(Pace(0.05), Pace(0.05), stamped=True, drafts="function"),
    "prefix": Script(_SHORT_ANSWER, _SHORT_ANSWER, tail=_LONG_TAIL, caches=True),
}


def parse(model: str) -> tuple[str, str]:
    """Return the script and the member of a model's id. Raises KeyError if there is no such script."""
    name, _, member = model.rpartition("-")
    if name not in SCRIPTS:
        raise KeyError(model)
    return name, member
