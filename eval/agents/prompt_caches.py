"""Prompt caches as providers document them: how many tokens of a prompt are read from one, and written to it. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Protocol

_LEAST_TOKENS = 1024
_STEP_TOKENS = 128
_LOOK_BACK = 20
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a prompt, in the provider's reading order, with or without a breakpoint behind it."""

    data: bytes
    is_breakpoint: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """The tokens of a prompt: all of them, and those that were read from the cache and written to it."""

    prompt: int
    cached: int = 0
    written: int = 0


class PromptCache(Protocol):
    """The cache of one model at its provider. No entry expires: an agent's turns follow each other within minutes."""

    def read(self, blocks: Sequence[Block]) -> Count:
        """Count a prompt against the prompts kept so far."""
        ...

    def keep(self, blocks: Sequence[Block]) -> None:
        """Keep a prompt, after it has been read: concurrent requests do not find each other's prompts."""
        ...


def count_tokens(blocks: Sequence[Block]) -> int:
    """Return the tokens of a prompt, at four bytes each."""
    return sum(len(block.data) for block in blocks) // _BYTES_PER_TOKEN


@dataclass(slots=True)
class BreakpointCache:
    """Anthropic's: keeps a prompt up to its breakpoints, and looks for earlier ones up to twenty blocks before each.

    https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
    """

    _known: set[bytes] = field(default_factory=set)

    def read(self, blocks: Sequence[Block]) -> Count:
        """Count a prompt; without breakpoints no token is cached."""
        sizes, digests, marks = _measure(blocks)
        if not marks:
            return Count(count_tokens(blocks))
        places = (at for mark in reversed(marks) for at in range(mark, max(-1, mark - _LOOK_BACK), -1))
        cached = next((sizes[at] for at in places if digests[at] in self._known), 0)
        return Count(count_tokens(blocks), cached, max(0, sizes[marks[-1]] - cached))

    def keep(self, blocks: Sequence[Block]) -> None:
        """Keep a prompt up to each of its breakpoints."""
        _, digests, marks = _measure(blocks)
        self._known |= {digests[mark] for mark in marks}


def _measure(blocks: Sequence[Block]) -> tuple[list[int], list[bytes], list[int]]:
    """Return the tokens up to the end of each block, a digest of the prompt up to there, and where breakpoints are."""
    sizes = [size // _BYTES_PER_TOKEN for size in accumulate(len(block.data) for block in blocks)]
    digests = list(accumulate((block.data for block in blocks), _extend_digest, initial=b""))[1:]
    marks = [at for at, block in enumerate(blocks) if block.is_breakpoint and sizes[at] >= _LEAST_TOKENS]
    return sizes, digests, marks


def _extend_digest(before: bytes, data: bytes) -> bytes:
    return hashlib.sha256(before + hashlib.sha256(data).digest()).digest()


@dataclass(slots=True)
class AutomaticCache:
    """OpenAI's: finds the longest beginning that any earlier prompt had, in steps of 128 tokens, from 1,024 on.

    https://platform.openai.com/docs/guides/prompt-caching
    """

    _known: list[bytes] = field(default_factory=list)

    def read(self, blocks: Sequence[Block]) -> Count:
        """Count a prompt."""
        data = b"".join(block.data for block in blocks)
        shared = max((_count_shared(data, known) for known in self._known), default=0) // _BYTES_PER_TOKEN
        cached = shared // _STEP_TOKENS * _STEP_TOKENS if shared >= _LEAST_TOKENS else 0
        return Count(count_tokens(blocks), cached)

    def keep(self, blocks: Sequence[Block]) -> None:
        """Keep a prompt."""
        self._known.append(b"".join(block.data for block in blocks))


def _count_shared(one: bytes, other: bytes) -> int:
    """Return the length of the beginning that two prompts share."""
    size = min(len(one), len(other))
    while size and one[:size] != other[:size]:  # halves are compared by memcmp, single bytes in Python
        half = size // 2
        if one[:half] != other[:half]:
            size = half
            continue
        return half + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one[half:], other[half:])))  # noqa: B905
    return size
