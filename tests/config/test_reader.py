"""Suggestions for misspelled words; the readers themselves are tested by their messages in test_problems.py."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from config.reader import Names, Place, boolean, integer, mapping, suggest
from config.source.document import parse
from config.source.problems import Problems


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("gemini", "google"),
        ("Gemini", "google"),
        ("gemini-2.5-pro", "google"),
        ("gogle", "google"),
        ("openrouter", "openrouter"),
        ("zzz", ""),
        ("", ""),
        ("123", ""),
    ],
)
def test_misspelt_words_get_a_suggestion(word: str, found: str) -> None:
    """A known synonym, a similar word, or the synonym of the family name in front of a version."""
    hint = suggest(word, ["google", "openrouter"], {"gemini": "google", "other": "not a choice"})
    assert hint == (f": did you mean {found}?" if found else "")


@dataclass
class _Example:
    port: int = 8000
    watch: bool = False


def test_a_section_gives_the_values_that_a_dataclass_has(tmp_path: Path) -> None:
    """Keys that are invalid, unset or no field are left out."""
    problems = Problems(tmp_path)
    node = parse("{port: 1, watch: maybe, other: 3}", {}, problems)
    section = mapping({"port": integer(0), "watch": boolean, "other": integer(0)})(Place(node, "", problems, Names()))
    assert section.values_for(_Example) == {"port": 1}
    assert (section.has("watch"), section.has("nothing")) == (True, False)
    assert len(problems) == 1
