"""Edits of files: an edit that does not apply never wins, and hunks of several answers make one."""

from typing import Any

import pytest

from config.settings import Critic, Settings
from synth.edits import EditForm, apply_edits, read_workspace
from tests.fakes import FakeUpstream, Step, answer, from_request, status
from tests.running import model, running, settings
from tests.synth.edits.conversations import block, conversation
from tests.test_select import shown

PATH = "shapes.py"
SHOWN = {PATH: "def square(side):\n    return side\n\n\ndef cube(edge):\n    return edge\n"}
ASKED: dict[str, Any] = {"messages": conversation(EditForm.EDIT_BLOCKS, SHOWN)}
SQUARE = block(PATH, "    return side\n", "    return side * side\n")
CUBE = block(PATH, "    return edge\n", "    return edge**3\n")
WRONG = block(PATH, "    return side\n", "    return side + side\n")
LOST = block(PATH, "    return nothing\n", "    return 0\n")


def file_of(text: str) -> str:
    """Return the file that an answer leaves."""
    return apply_edits(EditForm.EDIT_BLOCKS, read_workspace(ASKED["messages"]), text).files[PATH]


def config(upstream: FakeUpstream, first: str | Step, second: str | Step, *critic: Step) -> Settings:
    for name, said in (("a", first), ("b", second)):
        upstream.script(name, answer(said) if isinstance(said, str) else said)
    upstream.script("c", *critic)
    return settings([model(name, upstream, retries=0) for name in "abc"], panel=("a", "b"), critic=Critic("c"))


async def edited(setting: Settings, **fields: Any) -> tuple[str, str]:
    """Return the answer's text, and who decided."""
    async with running(setting) as gateway:
        reply = await gateway.chat({**ASKED, **fields})
    assert reply.status == 200, reply.raw
    return (reply.streamed() if fields.get("stream") else reply.text), reply.headers.get("x-mom-decided-by", "")


@pytest.mark.parametrize("stream", [False, True])
async def test_hunks_of_two_answers_make_one(upstream: FakeUpstream, stream: bool) -> None:
    """Each verbatim, and applied together before they count."""

    def names_both(body: Any) -> str:
        letters = shown(body)
        marks = ("side * side", "edge**3")
        return " ".join(next(letter for letter, text in letters.items() if mark in text) + "1" for mark in marks)

    text, _ = await edited(config(upstream, SQUARE, CUBE, from_request(names_both)), stream=stream)
    assert SQUARE.strip() in text
    assert CUBE.strip() in text
    expected = SHOWN[PATH].replace("return side", "return side * side").replace("return edge", "return edge**3")
    assert file_of(text) == expected


@pytest.mark.parametrize("word", ["A1 B1", "A9", "A1 A1", "Z1"])
async def test_hunks_that_clash_or_are_none_leave_the_best_candidate(upstream: FakeUpstream, word: str) -> None:
    """Both change the same line; there is no ninth edit; one edit twice; there is no candidate Z."""
    text, decided_by = await edited(config(upstream, SQUARE, WRONG, answer(word)))
    assert (text, decided_by) == (SQUARE, "panel_order")


async def test_an_edit_that_does_not_apply_is_out(upstream: FakeUpstream) -> None:
    """However well it is ranked; no critic is needed for the other one."""
    text, decided_by = await edited(config(upstream, LOST, CUBE, status(500)))
    assert (text, decided_by) == (CUBE, "only_candidate")
    assert upstream.requests_for("c") == []


async def test_equal_outcomes_are_one_candidate(upstream: FakeUpstream) -> None:
    """Other words around the same edit make no difference to the file."""
    text, decided_by = await edited(config(upstream, SQUARE, f"I square it.\n\n{SQUARE}", status(500)))
    assert (text, decided_by) == (SQUARE, "equal_candidates")


async def test_without_a_sound_candidate_the_critic_writes_and_is_checked(upstream: FakeUpstream) -> None:
    """A finding goes back once."""
    text, decided_by = await edited(config(upstream, LOST, LOST, answer(LOST), answer(CUBE)))
    assert (text, decided_by) == (CUBE, "critic")


async def test_a_broken_edit_is_passed_on_if_no_edit_is_sound(upstream: FakeUpstream) -> None:
    """Its tool says what is wrong, and asks again."""
    text, decided_by = await edited(config(upstream, LOST, LOST, answer(LOST)))
    assert (text, decided_by) == (LOST, "best_candidate")
    alone = settings([model("a", upstream)], mode="direct")
    upstream.script("a", answer(LOST))
    text, decided_by = await edited(alone)
    assert (text, decided_by) == (LOST, "critic_alone")
