"""Answers that are one block of code."""

import pytest

from synth.edits import CodeBlock, EditForm, EditStatus, Workspace, apply_edits, find_code_block


def outcome(text: str) -> object:
    return apply_edits(EditForm.CODE, Workspace(), text).outcome


@pytest.mark.parametrize(
    ("text", "edits", "findings"),
    [
        ("```python\nx = 1\n```", EditStatus.SOUND, ()),
        ("Here:\n\n~~~\nno known language (\n~~~\n", EditStatus.SOUND, ()),
        ("```python\n    x = 1\n    return x\n```", EditStatus.SOUND, ()),
        ("```python\nx = 1\n  y = 2\n```", EditStatus.BROKEN, ("python does not parse: line 2: unexpected indent",)),
        ("What shall it do?", EditStatus.NONE, ()),
        ("```python\nx = (\n```", EditStatus.BROKEN, ("python does not parse: line 1: '(' was never closed",)),
        ("```py\nx = 1\n", EditStatus.BROKEN, ("truncated: the code block does not end",)),
        ("```\n1\n```\n```\n2\n```", EditStatus.BROKEN, ("the answer has 2 code blocks, and one was asked for",)),
    ],
)
def test_one_block_that_parses_is_sound(text: str, edits: EditStatus, findings: tuple[str, ...]) -> None:
    """If the fence names a language that the gateway can parse."""
    result = apply_edits(EditForm.CODE, Workspace(), text)
    assert (result.status, result.findings) == (edits, findings)


def test_blocks_are_equal_by_their_code() -> None:
    """Python by its tree, others by their lines; text around them does not count."""
    assert outcome("```python\nx = [1,2]\n```") == outcome("Sure!\n```py\nx = [1, 2]  # two\n\n```\nDone.")
    assert outcome("```python\nx = 1\n```") != outcome("```python\nx = 2\n```")
    assert outcome("```python\n    return x\n```") == outcome("```python\n  return x\n```")
    assert outcome("```c\nx;  \n```") == outcome("```\nx;\n```")
    assert outcome("```python\nx = (\n```") == outcome("```python\nx = (  \n```")
    assert outcome("One? ") == outcome("One?")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```Go\nfunc main() {}\n```", CodeBlock("go", "func main() {}\n")),
        ("So:\n````md\n```\nexample\n```\n````", CodeBlock("md", "```\nexample\n```\n")),
        ("```go\nfunc main() {}", None),
        ("A long answer about many things, in which `x` is but an aside.\n```\nx\n```", None),
        ("```\nfunc one() {}\n```\n```\nfunc two() {}\n```", None),
        ("", None),
    ],
)
def test_an_answer_may_be_for_the_most_part_one_block(text: str, expected: CodeBlock | None) -> None:
    """One that ends, with less talk than code."""
    assert find_code_block(text) == expected
