"""How much of an answer each candidate contains, by shared runs of words. Pure, and bounded."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

SHINGLE_WORDS = 5  # long enough that two texts hardly share one by chance
MAX_CHARS = 16_000  # of each text; the rest does not count
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # scripts without spaces: each character is a word
_WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+")

_Shingle = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many shingles an answer has, how many each source contains, and how many only that source contains."""

    n_shingles: int
    found: Mapping[str, int]
    unique: Mapping[str, int]


def measure_overlap(answer: str, sources: Mapping[str, Iterable[str]]) -> Overlap:
    """Return how much of an answer the texts of each source contain.

    Shingles are the distinct runs of SHINGLE_WORDS words (Broder 1997), or the whole answer if it has fewer words.
    Case, punctuation and white space do not count. An answer without a word has none.
    """
    words = _words(answer)
    size = min(SHINGLE_WORDS, len(words))
    shingles = _shingles(words, size)
    found = {
        name: shingles.intersection(chain.from_iterable(_shingles(_words(text), size) for text in texts))
        for name, texts in sources.items()
    }
    n_sources = Counter(chain.from_iterable(found.values()))
    return Overlap(
        n_shingles=len(shingles),
        found={name: len(shared) for name, shared in found.items()},
        unique={name: sum(n_sources[each] == 1 for each in shared) for name, shared in found.items()},
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(text[:MAX_CHARS].casefold())


def _shingles(words: list[str], size: int) -> set[_Shingle]:
    return set(zip(*(words[start:] for start in range(size)), strict=False))
