"""From a trace to what its page shows."""

import json
from typing import Any

from handlers.traces.as_json import decode_trace
from handlers.ui.diffs import DiffBudget
from handlers.ui.file_changes import EditContext
from handlers.ui.messages import split_prompt
from handlers.ui.request_view import RequestView, build_request_view
from synth.edits import EditForm
from tests.synth.edits.conversations import block, conversation, message

PATH = "shapes.py"
SHOWN = {PATH: "def square(side):\n    return side\n"}
SQUARE = block(PATH, "    return side\n", "    return side * side\n")


def told(**fields: Any) -> RequestView:
    return build_request_view(decode_trace(json.dumps({"id": "chatcmpl-1", **fields})))


def candidate(model: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "layer": 1, "finding": None, "text": text, **fields}


def answer(text: str, author: str = "a", decided_by: str = "chosen", **fields: Any) -> dict[str, Any]:
    return {"text": text, "author": author, "decided_by": decided_by, **fields}


def test_the_chosen_candidate_comes_first_and_is_called_so() -> None:
    """With the letters under which the critic saw it, in each order."""
    authors = [{"letters": {"A": "b", "B": "a"}}, {"letters": {"A": "a", "B": "b"}}]
    made = told(candidates=[candidate("b", "two"), candidate("a", "one")], answers=[answer("one")], authors=authors)
    first, second = made.candidates
    assert (first.model, first.is_answer, first.letters) == ("a", True, ["B", "A"])
    assert (second.model, second.is_answer) == ("b", False)
    assert [other.diff.same for other in made.answers[0].comparisons] == [True, False]
    assert made.answers[0].explanation == "The critic picked the candidate of a, unchanged."


def test_letters_are_those_of_the_last_layer() -> None:
    """What a layer before said, no critic saw."""
    both = [candidate("a", "one"), candidate("a", "better", layer=2)]
    calls = [{"role": "proposer", "model": "a", "prompt_tokens": n} for n in (1, 2)]
    made = told(candidates=both, authors=[{"letters": {"A": "a"}}], calls=calls)
    assert [(each.layer, each.letters) for each in made.candidates] == [(1, ()), (2, ["A"])]
    assert [each.call and each.call.prompt_tokens for each in made.candidates] == [1, 2]


def test_how_an_answer_came_about_is_told_in_words() -> None:
    """Also for several authors, and for a reason of a later version."""
    answers = [answer("x", "a+b"), answer("x", "a", "panel_order"), answer("x", "a", "by lot")]
    members = [candidate("a", "x"), candidate("b", "y")]
    hows = [each.explanation for each in told(answers=answers, candidates=members).answers]
    assert hows[0] == "The critic picked edits of several candidates: a, b."
    assert hows[1].startswith("The critic's two picks differ")
    assert hows[2] == "By a."


def test_comparisons_are_bounded() -> None:
    """However many choices and candidates there are; the page says how many are missing."""
    many = [candidate(f"m{n}", str(n)) for n in range(16)]
    made = told(candidates=many, answers=[answer("x"), answer("y"), answer("z")])
    assert [len(each.comparisons) for each in made.answers] == [16, 8, 0]
    assert [each.n_uncompared for each in made.answers] == [0, 8, 16]


def test_edits_are_shown_as_the_files_that_they_leave() -> None:
    """Applied to what the conversation shows, by the rules of the tool in front."""
    request = {"messages": conversation(EditForm.EDIT_BLOCKS, SHOWN)}
    made = told(request=request, candidates=[candidate("a", SQUARE)], answers=[answer(SQUARE)])
    edited = made.answers[0].changes
    assert edited is not None
    (file,) = edited.files
    assert (file.path, file.kind, file.diff.n_added, file.diff.n_removed) == (PATH, "changed", 1, 1)
    assert made.candidates[0].changes == edited


def test_a_new_file_is_called_new() -> None:
    """And an answer in words changes nothing."""
    context = EditContext.of_request(conversation(EditForm.EDIT_BLOCKS, SHOWN), {})
    assert context is not None
    (file,) = context.apply(block("new.py", "", "X = 1\n"), DiffBudget()).files
    assert (file.path, file.kind, file.diff.n_added) == ("new.py", "new", 1)
    assert context.apply("Which of them?", DiffBudget()).files == []
    assert context.apply(block(PATH, "nothing\n", "x\n"), DiffBudget()).findings


def test_prose_edits_no_files() -> None:
    """Nor does an answer that is JSON, or a call of a tool."""
    assert EditContext.of_request([message("user", "Why?")], {}) is None
    assert EditContext.of_request(conversation(EditForm.EDIT_BLOCKS, SHOWN), {"tools": [{}]}) is None


def test_a_critic_s_messages_are_shown_without_the_conversation() -> None:
    """Which stands on the page already; only what was added to its end counts."""
    asked = [message("system", "Be brief."), message("user", "Why?")]
    n_before, said = split_prompt([asked[0], message("user", "Why?\n\nThe drafts follow.")], asked)
    assert n_before == 2
    assert [(each.role, each.text) for each in said] == [("user", "The drafts follow.")]
    assert split_prompt(asked, asked) == (2, [])
    assert [each.text for each in split_prompt([message("user", "Else")], asked)[1]] == ["Else"]


def test_what_a_message_has_beside_its_text_is_shown() -> None:
    """Tool calls, images."""
    image = {"type": "image_url", "image_url": {"url": "data:x"}}
    messages = [
        message("assistant", None) | {"tool_calls": [{"id": "1"}]},
        message("user", [{"type": "text", "text": "See"}, image]),
    ]
    first, second = told(request={"messages": messages}).conversation
    assert json.loads(first.extra) == {"tool_calls": [{"id": "1"}]}
    assert (second.text, json.loads(second.extra)) == ("See", {"content": [image]})
