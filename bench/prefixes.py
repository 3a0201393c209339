"""A provider's prompt cache, simulated: how much of a prompt it has read before. Pure."""

from collections import deque

_N_REMEMBERED = 64


class PrefixCache:
    """Remembers the latest prompts of one model."""

    def __init__(self) -> None:
        self._seen: deque[bytes] = deque(maxlen=_N_REMEMBERED)

    def share(self, prompt: bytes) -> float:
        """Return how much of the prompt's beginning, 0 to 1, is that of one seen before."""
        return max((common_length(prompt, seen) for seen in self._seen), default=0) / max(1, len(prompt))

    def remember(self, prompt: bytes) -> None:
        """Have read this prompt from now on."""
        self._seen.append(prompt)


def common_length(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts have in common at their beginning, by bisection."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
