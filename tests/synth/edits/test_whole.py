"""Listings of whole files, applied. The expected files are those that aider ends up with."""

import pytest

from synth.edits import EditForm, EditStatus, Workspace, apply_edits
from synth.edits.fences import Fence

FORM = EditForm.WHOLE_FILE
ONE = Workspace({"src/main.py": "print(1)\n"}, {"LICENSE": "Free.\n"})
TWO = Workspace({"src/main.py": "print(1)\n", "data.json": "{}\n"})
LISTING = "```python\nprint(2)\n```"


@pytest.mark.parametrize(
    "text",
    [
        f"src/main.py\n{LISTING}\n",
        f"I change it.\n\n**src/main.py**\n{LISTING}\nDone.",
        f"### src/main.py\n{LISTING}",
        f"`src/main.py`:\n{LISTING}",
        f"As `src/main.py` shall print 2:\n\n{LISTING}",
        f"\n{LISTING}",
        LISTING,
        f"First:\n\n```\nprint(3)\n```\n\nsrc/main.py\n{LISTING}",
    ],
)
def test_a_listing_is_read_however_it_is_named(text: str) -> None:
    """Above its fence, in the text before, or not at all if there is one file."""
    workspace = Workspace({"src/main.py": "print(1)\n"})
    assert apply_edits(FORM, workspace, text).files["src/main.py"] == "print(2)\n"


def test_an_invented_folder_goes() -> None:
    """If a file of that name was shown without it."""
    assert apply_edits(FORM, TWO, '/path/to/data.json\n```\n{"a": 1}\n```').files["data.json"] == '{"a": 1}\n'


def test_new_files_are_made() -> None:
    """Other files may be listed than those that were shown."""
    result = apply_edits(FORM, TWO, "docs/a.md\n```\n# A\n```\n\nsrc/main.py\n```\n```\n")
    assert result.files == {"src/main.py": "", "data.json": "{}\n", "docs/a.md": "# A\n"}
    assert [hunk.path for hunk in result.hunks] == ["docs/a.md", "src/main.py"]


def test_the_fence_of_the_files_is_the_only_one() -> None:
    """Other fences are part of the listing."""
    tagged = Workspace({"a.md": "```\n```\n"}, {}, Fence("<source>", "</source>"))
    assert apply_edits(FORM, tagged, "a.md\n<source>\n```\nx\n```\n</source>").files["a.md"] == "```\nx\n```\n"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("src/main.py\n```\nprint(", "truncated: the listing of src/main.py does not end"),
        ("src/main.py\n```\nprint(\n```", "src/main.py: python does not parse: line 1: '(' was never closed"),
        ("data.json\n```\n{]\n```", "data.json: json does not parse: line 1"),
        ("conf.toml\n```\na=\n```", "conf.toml: toml does not parse: Invalid value (at line 1, column 3)"),
        ("conf.yml\n```\na: [\n```", "conf.yml: yaml does not parse: line 2"),
        ("conf.yml\n```\na: \1\n```", "conf.yml: yaml does not parse: "),
        (f"data.json\n```\n{'[' * 99_999}\n```", "data.json: json does not parse: "),
        (f"\n{LISTING}", "a file listing has no file name on the line above its fence"),
        (f"Here is what I would write instead\n{LISTING}", "'Here is what I would write instead' is not a file name"),
    ],
)
def test_findings_are_concrete(text: str, finding: str) -> None:
    """They name the file and the place."""
    result = apply_edits(FORM, TWO, text)
    assert result.status is EditStatus.BROKEN
    assert result.findings[0].startswith(finding)


def test_read_only_files_stay() -> None:
    """Even if the answer lists the whole file."""
    result = apply_edits(FORM, ONE, "LICENSE\n```\nMine.\n```")
    assert result.findings == ("LICENSE was shown read-only",)
    assert result.files == ONE.files


@pytest.mark.parametrize("text", ["", "No change is needed.", "Please add `src/db.py`."])
def test_an_answer_without_edits_is_no_error(text: str) -> None:
    """It may well be right."""
    assert apply_edits(FORM, ONE, text).status is EditStatus.NONE


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.yaml", "a: !Custom {b: 1}\n---\nb: 2\n"),
        ("a.py", "import re\nre.compile('\\d')\n"),
        ("a.toml", "a = 1\n"),
        ("a.rs", "fn main( {\n"),
    ],
)
def test_only_syntax_is_checked(path: str, content: str) -> None:
    """Of what the gateway can parse; several documents, tags of their own and odd escapes are fine."""
    assert apply_edits(FORM, TWO, f"{path}\n```\n{content}```").findings == ()


@pytest.mark.parametrize("content", ["(" * 5000, "\0", "\ud800"])
def test_any_python_is_checked(content: str) -> None:
    """Any text is checked without an exception."""
    assert "python does not parse" in apply_edits(FORM, TWO, f"a.py\n```\n{content}\n```").findings[0]
