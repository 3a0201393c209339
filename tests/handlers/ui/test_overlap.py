"""How much of an answer each candidate contains."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.ui.overlap import MAX_CHARS, measure_overlap

WORDS = st.lists(st.sampled_from(["ab", "cd", "ef", "gh", "ij", "Kl", "mn"]), max_size=25).map(" ".join)
SOURCES = st.dictionaries(st.sampled_from("xyz"), st.lists(WORDS | st.text(max_size=20), max_size=3), max_size=3)

FOX = "The quick brown fox jumps over the lazy dog."


@given(WORDS | st.text(), SOURCES)
def test_unique_is_part_of_found_is_part_of_all(text: str, sources: dict[str, list[str]]) -> None:
    """For every source; unique parts never overlap, so their sum is not more than the answer."""
    measured = measure_overlap(text, sources)
    assert measured.found.keys() == measured.unique.keys() == sources.keys()
    for name in sources:
        assert 0 <= measured.unique[name] <= measured.found[name] <= measured.n_shingles
    assert sum(measured.unique.values()) <= measured.n_shingles


@given(WORDS, SOURCES)
def test_a_source_equal_to_the_answer_contains_all_of_it(text: str, sources: dict[str, list[str]]) -> None:
    """And leaves nothing unique to others."""
    measured = measure_overlap(text, {**sources, "itself": [text]})
    assert measured.found["itself"] == measured.n_shingles
    assert all(measured.unique[name] == 0 for name in sources)


@given(WORDS, WORDS, WORDS, WORDS)
def test_another_source_reduces_only_uniqueness(text: str, mine: str, theirs: str, others: str) -> None:
    """What is found in a source does not depend on others; what is unique to it can only shrink."""
    few = measure_overlap(text, {"x": [mine], "y": [theirs]})
    more = measure_overlap(text, {"x": [mine], "y": [theirs], "z": [others]})
    assert few.found["x"] == more.found["x"]
    assert few.unique["x"] >= more.unique["x"]


def test_runs_of_five_words_count() -> None:
    """Four equal words in a row are chance, five are one run."""
    measured = measure_overlap(FOX, {"four": ["the quick brown fox sleeps"], "five": ["the quick brown fox jumps"]})
    assert measured.n_shingles == 5
    assert measured.found == {"four": 0, "five": 1}


def test_case_punctuation_and_space_do_not_count() -> None:
    """Nor do line breaks."""
    assert measure_overlap(FOX, {"x": ["THE QUICK, brown\n\nfox jumps: over the 'lazy' dog"]}).found == {"x": 5}


def test_a_short_answer_is_one_run() -> None:
    """A candidate that contains it amid other words counts."""
    assert measure_overlap("Forty-two.", {"x": ["It is forty two"], "y": ["It is two"]}).found == {"x": 1, "y": 0}


def test_an_answer_without_words_has_no_runs() -> None:
    """Even if a candidate is the same."""
    measured = measure_overlap("…", {"x": ["…"]})
    assert (measured.n_shingles, measured.found) == (0, {"x": 0})


def test_scripts_without_spaces_are_read_by_character() -> None:
    """Otherwise a whole sentence would be one word."""
    measured = measure_overlap("今日は天気がいいです", {"x": ["明日も天気がいいです"]})
    assert (measured.n_shingles, measured.found["x"]) == (6, 3)


def test_long_texts_are_cut() -> None:
    """The work is bounded for every text."""
    words = " ".join(str(number) for number in range(MAX_CHARS))
    assert measure_overlap(words, {}).n_shingles == measure_overlap(words[:MAX_CHARS], {}).n_shingles
