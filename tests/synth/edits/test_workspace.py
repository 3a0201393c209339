"""The files that a conversation shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.edits import Workspace, read_workspace
from synth.edits.fences import FENCES
from tests.recordings import FOLDER, load
from tests.synth.edits.conversations import listings, message, shown

OLD, NEW = {"a.py": "a = 1\n", "b.md": "# b\n"}, {"a.py": "a = 2\n"}
# What a file holds must not look like the end of its listing: the tool takes another fence then.
TEXTS = st.text(st.sampled_from("ab \n\f\u2028é"), max_size=30)
PATHS = st.sampled_from(["a.py", "src/b c.py", "Makefile", "d/e/f.toml", "../g.txt"])


@pytest.mark.parametrize("fence", FENCES)
def test_the_latest_version_of_each_file_counts(fence: tuple[str, str]) -> None:
    """In any fence."""
    seen = read_workspace([*shown(OLD), *shown(NEW, fence), message("user", "Go.")])
    assert seen == Workspace({"a.py": "a = 2\n", "b.md": "# b\n"}, {}, seen.fence)
    assert seen.fence == fence


@given(st.dictionaries(PATHS, TEXTS, min_size=1), st.sampled_from(FENCES))
def test_files_are_read_as_they_were_shown(files: dict[str, str], fence: tuple[str, str]) -> None:
    """Empty ones, such without a line end at their end, and any white space."""
    assert read_workspace(shown(files, fence)).files == files


def test_files_may_be_shown_read_only() -> None:
    """Until they are shown for editing."""
    reference = shown({"a.py": "a = 0\n", "c.py": "c\n"}, intro="These are READ ONLY, for reference.")
    seen = read_workspace([*reference, *shown(NEW)])
    assert (seen.files, seen.read_only) == (NEW, {"c.py": "c\n"})
    assert read_workspace([*shown(NEW), *reference]).files == {}


def test_content_may_come_in_parts() -> None:
    """Clients send parts if they ask for caching."""
    text, reply = shown(OLD)
    assert read_workspace([message("user", [{"type": "text", "text": text["content"]}]), reply]).files == OLD


@pytest.mark.parametrize(
    "turns",
    [
        [message("user", f"Look:\n{listings(OLD)}")],
        [message("system", listings(OLD)), message("assistant", "Ok.")],
        [message("user", f"Look:\n{listings(OLD)}\nWhat fails here?"), message("assistant", "Ok.")],
        [message("user", f"It fails:\n{listings(OLD)}"), message("assistant", "I see.\n\nTry this.")],
        [message("user", "Hello"), message("assistant", listings(OLD))],
        [message("user", "a.py\n```python\na = 1\n```\n"), message("assistant", "Ok.")],
        [message("user", "\na.py\n```\nnever closed\n"), message("assistant", "Ok.")],
        [message("user", "\n```\n```\n"), message("assistant", "Ok.")],
    ],
)
def test_other_listings_show_no_files(turns: list[dict[str, object]]) -> None:
    """In instructions, in talk, in answers, and in what is not a listing."""
    assert read_workspace(turns) == Workspace()


def test_a_path_is_found_however_it_is_written() -> None:
    """As it was shown, if it was; else in its shortest form."""
    seen = Workspace({"./odd.py": "", "a.py": ""}, {})
    assert [seen.resolve_path(path) for path in ("./odd.py", "./a.py", "x/../a.py", "")] == [
        "./odd.py",
        "a.py",
        "a.py",
        "",
    ]


RECORDED = sorted(FOLDER.glob("aider-*edit*.json")) if FOLDER.is_dir() else []


@pytest.mark.skipif(not RECORDED, reason="recordings lie outside the project")
def test_the_files_of_recorded_conversations_are_found() -> None:
    """None of the files in the tool's examples is taken for one."""
    for path in RECORDED:
        seen = read_workspace(load(path).messages)
        assert list(seen.files) == ["greet.py"], path.name
        assert seen.files["greet.py"].startswith("def greet(name):\n"), path.name
