"""Finding requests that cannot be answered."""

from typing import Any

import pytest

from config.settings import Capability, Critic, Mixture, Model, Proposer
from synth.contract.contract import derive_contract
from synth.preflight import find_mixture_problem, find_model_problem, list_authors
from synth.request import ChatRequest
from tests.synth.scripted_pool import model

IMAGE = [{"type": "image_url", "image_url": {"url": "http://h/i.png"}}]
TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


def request(content: Any = "Why?", **params: Any) -> ChatRequest:
    return ChatRequest(None, [{"role": "user", "content": content}], params)


def models(**capabilities: set[Capability]) -> dict[str, Model]:
    return {name: model(name, capabilities=frozenset(each)) for name, each in capabilities.items()}


MIXTURE = Mixture("mom", (Proposer("a"), Proposer("b")), Critic("c", ("d",)))
NOTHING = models(a=set(), b=set(), c=set(), d=set())


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        (request(), None),
        (request(logprobs=True), "logprobs"),
        (request(**TOOLS), "tools"),
        (request(IMAGE), "messages"),
        (
            request(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "?"}}}),
            "response_format.json_schema.schema",
        ),
    ],
)
def test_a_mixture_s_problem_names_the_field_at_fault(chat: ChatRequest, param: str | None) -> None:
    """Here no model has any capability."""
    problem = find_mixture_problem(chat, derive_contract(chat), MIXTURE, NOTHING)
    assert (problem and problem.param) == param


@pytest.mark.parametrize(
    ("chat", "param"), [(request(), None), (request(**TOOLS), "tools"), (request(IMAGE), "messages")]
)
def test_a_model_s_problem_names_the_field_at_fault(chat: ChatRequest, param: str | None) -> None:
    """With the capability there is none."""
    problem = find_model_problem(chat, derive_contract(chat), NOTHING["a"])
    assert (problem and problem.param) == param
    assert find_model_problem(chat, derive_contract(chat), model("able")) is None


def test_only_critics_that_can_call_tools_are_authors_of_a_call() -> None:
    """In their order; any critic may write prose."""
    able = models(a=set(), b=set(), c=set(), d={"tools"})
    assert list_authors(MIXTURE, able, derive_contract(request(**TOOLS))) == ("d",)
    assert list_authors(MIXTURE, able, derive_contract(request())) == ("c", "d")
