"""A simulated prompt cache: how much of a prompt was seen before. Pure."""

from collections import deque

_N_REMEMBERED = 64


class PrefixCache:
    """Keeps the latest prompts of one model."""

    def __init__(self) -> None:
        self._seen: deque[bytes] = deque(maxlen=_N_REMEMBERED)

    def share(self, prompt: bytes) -> float:
        """Return the share of the prompt (0 to 1) that is a prefix of an earlier prompt."""
        return max((common_length(prompt, seen) for seen in self._seen), default=0) / max(1, len(prompt))

    def remember(self, prompt: bytes) -> None:
        """Add a prompt."""
        self._seen.append(prompt)


def common_length(one: bytes, other: bytes) -> int:
    """Return the length of the common prefix of two texts, by bisection."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
