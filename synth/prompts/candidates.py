"""Showing candidates to a model: anonymous, fenced and in random order, behind the conversation. Pure.

The conversation stays byte for byte as the panel saw it, so that a provider's prompt cache is warm; the gateway's text
goes into one block at its end.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest

from runtime.frozen import frozen
from synth.request import Message, find_last_request
from upstream.openai.conversation import Conversation, append_block

_RNG = random.Random()  # noqa: S311 -- fairness of order, not secrecy; one, because a new one is seeded twice
_MAX_FINDING_CHARS = 300
_FIELD = re.compile(r"\{(candidates|count|nonce|request)\}")


@frozen
class Showing:
    """One order of the candidates, as one model reads it.

    `messages` is the conversation with the block at its end. `order` has the candidates' positions: first the one that
    is A, then B, C, …; `seed` gives it again (see `shuffle_positions`). `nonce` marks the fences of this request.
    """

    messages: Conversation
    order: tuple[int, ...]
    seed: int
    nonce: str


def show_candidates(
    messages: Sequence[Message],
    texts: Sequence[str],
    template: str,
    *,
    rng: random.Random,
    draw_nonce: Callable[[], str],
    n_orders: int = 1,
    findings: Sequence[str] = (),
) -> list[Showing]:
    """Return the conversation with the candidates behind it, in `n_orders` (1 or 2) orders.

    The template's fields `{candidates}`, `{count}`, `{nonce}` and `{request}` (the user's last message) are filled in;
    every other brace stands for itself. `findings` describe the results of running the texts, "" without any.
    """
    # Three precautions, for every prompt that shows a model what other models wrote:
    # - The order is random and its seed is recorded, because models prefer the first candidate (or the last). A second
    #   order is the reverse of the first: each candidate then stands as often in front of each other as behind it.
    # - Letters replace the authors' names: a model that recognises its own name prefers it.
    # - A fence carries a nonce that is drawn for this request, and drawn again if any text happens to contain it. A
    #   candidate therefore cannot close its own fence and continue as an instruction. The result of running it has
    #   the nonce as well, so a candidate cannot claim one; it is one line, because error messages are its own words.
    seed = rng.getrandbits(32)
    order = shuffle_positions(len(texts), seed)
    lines = [" ".join(finding.split())[:_MAX_FINDING_CHARS] for finding in findings]
    shown = list(zip_longest(texts, lines, fillvalue=""))
    nonce = _draw_absent([*texts, *lines], draw_nonce)
    request = find_last_request(messages)

    def show(positions: tuple[int, ...]) -> Showing:
        fields = {
            "candidates": _fence([shown[position] for position in positions], nonce),
            "count": str(len(positions)),
            "nonce": nonce,
            "request": request,
        }
        return Showing(append_block(messages, _fill(template, fields)), positions, seed, nonce)

    return [show(order), show(order[::-1])][:n_orders]


def shuffle_positions(n_candidates: int, seed: int) -> tuple[int, ...]:
    """Return the positions of candidates in random order: the same seed gives the same order."""
    # The library's generator, although seeding it is most of a prompt's time: recorded answers of critics belong to the
    # orders that it gives, and are asked again if these change.
    order = list(range(n_candidates))
    _RNG.seed(seed)
    _RNG.shuffle(order)
    return tuple(order)


def letter(position: int) -> str:
    """Return the name of the candidate shown at this position: A … Z, AA, AB …"""
    name = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _draw_absent(texts: Sequence[str], draw: Callable[[], str]) -> str:
    """Return the first drawn nonce that occurs in none of the texts."""
    while True:
        nonce = draw()
        if not any(nonce in text for text in texts):
            return nonce


def _fence(shown: Sequence[tuple[str, str]], nonce: str) -> str:
    """Return texts, each with the finding on it, between lines that carry the nonce."""
    parts = []
    for position, (text, finding) in enumerate(shown):
        mark = f"{letter(position)} {nonce}"
        parts.append(f"===== BEGIN {mark} =====\n{text}\n===== END {mark} =====")
        if finding:
            parts[-1] += f"\n===== RUN {mark}: {finding} ====="
    if any(finding for _, finding in shown):
        parts.append(f"A line RUN with the mark {nonce} says what running the code of the draft above it has shown.")
    return "\n\n".join(parts)


def _fill(template: str, fields: Mapping[str, str]) -> str:
    words = [*_split_template(template)]
    words[1::2] = [fields[name] for name in words[1::2]]
    return "".join(words)


@lru_cache(maxsize=64)
def _split_template(template: str) -> tuple[str, ...]:
    """Return a template's words and the names of its fields, alternating; it begins and ends with words."""
    return tuple(_FIELD.split(template))
