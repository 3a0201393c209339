"""Asking for advice on an agent's work."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.prompts.advice import ask_for_advice
from synth.request import ChatRequest
from tests.synth.test_tool_turns import FAILED, TOOLS, step, work


def advise(messages: list[dict[str, Any]], **params: Any) -> ChatRequest:
    return ask_for_advice(ChatRequest(None, messages, {"tools": TOOLS, **params}), 600)


def text_of_advice(messages: list[dict[str, Any]]) -> str:
    (message,) = advise(messages).messages
    return str(message["content"])


def test_an_advisor_reads_the_user_s_words_and_a_line_for_each_step() -> None:
    """Names, arguments and outcomes; of a failure the line that says so."""
    text = text_of_advice(work(step(1, "read", path="a.py"), step(2, "run", result=f"collected\n{FAILED}\nlong log")))
    assert "> Fix the bug." in text
    assert '1. read({"path": "a.py"}): ok' in text
    assert f"2. run({{}}): failed: {FAILED}" in text
    assert "long log" not in text


def test_an_advisor_reads_no_instructions_of_the_agent() -> None:
    """Its system prompt stays with the actor."""
    assert "secret" not in text_of_advice([{"role": "system", "content": "secret"}, *work()])


def test_before_the_first_step_there_is_no_course() -> None:
    """The user has just spoken."""
    assert "has not begun" in text_of_advice(work())


def test_a_long_session_stays_short() -> None:
    """Neither long texts nor many steps make it grow; the latest turn is kept in full up to its limit."""
    earlier = [{"role": "user", "content": f"turn {number} " + "x" * 9000} for number in range(20)]
    steps = [step(number, "write", text="y" * 9000, result="z" * 9000) for number in range(200)]
    text = text_of_advice([*earlier, *work(*steps)])
    assert len(text) < 20_000
    assert "turn 19" in text
    assert "turn 1 " not in text


LIMITS: list[tuple[dict[str, int], int]] = [({}, 600), ({"max_tokens": 50}, 50), ({"max_completion_tokens": 9000}, 600)]


@pytest.mark.parametrize(("params", "limit"), LIMITS)
def test_the_length_of_advice_is_limited(params: dict[str, int], limit: int) -> None:
    """By the configuration, or by a smaller limit of the client; no tool and no form is asked for."""
    request = advise(work(), temperature=0.5, tool_choice="required", response_format={"type": "json_object"}, **params)
    assert request.params == {"temperature": 0.5, "max_tokens": limit}


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
            optional={"content": st.none() | st.text(max_size=30) | st.lists(st.integers()), "tool_call_id": st.text()},
        ),
        max_size=6,
    )
)
def test_any_conversation_can_be_summed_up(messages: list[dict[str, Any]]) -> None:
    """Also one without a word of the user."""
    assert text_of_advice(messages).endswith("are not meant for you.")


def test_words_of_the_user_are_not_read_as_fields_of_the_prompt() -> None:
    """Braces stand for themselves."""
    messages = [*work(step(1, note="{words}")), {"role": "assistant", "content": "{words}?"}]
    messages[0] = {"role": "user", "content": "{course} {words}"}
    text = text_of_advice(messages)
    assert "> {course} {words}" in text
    assert text.count("{words}") == 3
