"""The form that an answer must keep, and its check."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.workers import WorkerPool
from synth.contract.contract import WORKER_MODULES, Contract, Form, derive_contract
from synth.edits import EditForm, Workspace
from synth.normalize import Completion
from synth.request import ChatRequest

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": ["x"]}}}
CUSTOM = {"type": "custom", "custom": {"name": "c", "description": "Takes free text."}}
ALLOWED = {
    "type": "allowed_tools",
    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
}
COUNT = {"type": "object", "properties": {"n": {"type": "integer"}}}


def finding(contract: Contract, completion: Completion) -> str | None:
    return contract.read(completion).finding


def cleaned(contract: Contract, completion: Completion) -> Completion:
    return contract.read(completion).completion


def all_equal(contract: Contract, completions: list[Completion]) -> bool:
    return len({contract.read(completion).outcome for completion in completions}) == 1


def request(**params: Any) -> ChatRequest:
    return ChatRequest(None, [{"role": "user", "content": "x"}], params)


@pytest.mark.parametrize(
    ("params", "form", "must_call"),
    [
        ({}, Form.PLAIN, False),
        ({"response_format": {"type": "text"}}, Form.PLAIN, False),
        ({"response_format": {"type": "json_object"}}, Form.JSON, False),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": COUNT}}}, Form.JSON, False),
        ({"tools": [TOOL]}, Form.TOOLS, False),
        ({"tools": [TOOL], "tool_choice": "none"}, Form.PLAIN, False),
        ({"tools": [TOOL], "tool_choice": "required"}, Form.TOOLS, True),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}, Form.TOOLS, True),
        ({"functions": [TOOL["function"]], "function_call": "auto"}, Form.TOOLS, False),
        ({"tools": []}, Form.PLAIN, False),
        ({"tools": [{"type": "odd"}]}, Form.PLAIN, False),
        ({"tools": [CUSTOM]}, Form.TOOLS, False),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "odd"}}}, Form.PLAIN, False),
        ({"tools": [TOOL, CUSTOM], "tool_choice": ALLOWED}, Form.TOOLS, False),
        ({"functions": [TOOL["function"]], "function_call": {"name": "f"}}, Form.TOOLS, True),
    ],
)
def test_the_request_alone_tells_the_contract(params: dict[str, Any], form: Form, must_call: bool) -> None:
    """From its parameters."""
    contract = derive_contract(request(**params))
    assert (contract.form, contract.must_call) == (form, must_call)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"n": 1}', None),
        ('{"n": "x"}', 'at $.n: "x" is not of type "integer"'),
        ("[]", 'at $: [] is not of type "object"'),
        ("no", "not JSON: Expecting value"),
        ("NaN", "NaN is not a JSON value"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_is_checked_against_its_schema(text: str, expected: str | None) -> None:
    """The finding is concrete enough to act on."""
    found = finding(Contract(json=True, schema=COUNT), Completion(text))
    assert found is None if expected is None else expected in str(found)


def test_a_json_object_is_an_object() -> None:
    """Nothing else keeps the contract, except a refusal, which the user reads."""
    assert finding(Contract(json=True), Completion("{}")) is None
    assert "not an object" in str(finding(Contract(json=True), Completion("7")))
    assert finding(Contract(json=True), Completion("", refusal="No.")) is None


@given(st.text())
def test_only_json_is_ever_cleaned(text: str) -> None:
    """Plain answers pass byte for byte."""
    completion = Completion(text)
    assert cleaned(Contract(), completion) is completion


@given(st.sampled_from(["", "json", "JSON"]), st.sampled_from(["", "\n", "  \n"]))
def test_a_fence_around_json_goes(language: str, padding: str) -> None:
    """Whatever its language and the text around it."""
    fenced = f'{padding}```{language}\n{{"a": "```"}}\n```{padding}'
    assert cleaned(Contract(json=True), Completion(fenced)).text == '{"a": "```"}'


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.dictionaries(st.text(), v))


@given(JSON)
def test_equal_values_are_equal_answers(value: Any) -> None:
    """Their layout does not matter."""
    texts = [json.dumps(value), json.dumps(value, indent=3, sort_keys=True, ensure_ascii=False)]
    assert all_equal(Contract(json=True), [Completion(text) for text in texts])


def test_plain_answers_are_equal_but_for_trailing_white_space() -> None:
    """Indentation counts: it may be code."""
    assert all_equal(Contract(), [Completion("a \nb\n\n"), Completion("\na\nb")])
    assert not all_equal(Contract(), [Completion("x\n  a"), Completion("x\na")])
    assert not all_equal(Contract(), [Completion("A"), Completion("a")])


def call(name: str, arguments: str = '{"x": 1}') -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_narrowed_choice_is_held_to() -> None:
    """Only the tools that tool_choice leaves may be called, and no more at a time than allowed."""
    other = {"type": "function", "function": {"name": "g"}}
    named = derive_contract(request(tools=[TOOL, other], tool_choice={"type": "function", "function": {"name": "f"}}))
    assert finding(named, Completion("", tool_calls=(call("f"),))) is None
    assert "not among" in str(finding(named, Completion("", tool_calls=(call("g"),))))
    single = derive_contract(request(tools=[TOOL], parallel_tool_calls=False))
    assert "2 calls" in str(finding(single, Completion("", tool_calls=(call("f"), call("f")))))


def test_a_custom_tool_takes_free_text() -> None:
    """Its name is checked, its input is not."""
    contract = derive_contract(request(tools=[CUSTOM]))
    custom = {"id": "1", "type": "custom", "custom": {"name": "c", "input": "anything {"}}
    assert finding(contract, Completion("", tool_calls=(custom,))) is None
    custom = {"id": "1", "type": "custom", "custom": {"name": "d", "input": ""}}
    assert "not among" in str(finding(contract, Completion("", tool_calls=(custom,))))


def test_beside_tools_a_text_keeps_its_own_form() -> None:
    """An answer without a call must be the JSON that was asked for."""
    contract = derive_contract(request(tools=[TOOL], response_format={"type": "json_object"}))
    assert finding(contract, Completion("{}")) is None
    assert "not JSON" in str(finding(contract, Completion("I would call f.")))
    assert finding(contract, Completion("", tool_calls=(call("f"),))) is None


def test_a_tool_whose_schema_is_none_is_not_checked_by_it() -> None:
    """Upstreams take such schemas in their own way."""
    contract = Contract(tools={"f": {"type": "nonsense"}, "g": None})
    for name in ("f", "g"):
        assert finding(contract, Completion("", tool_calls=(call(name),))) is None


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("```json\n{}\n```", "{}"),
        ("```\n{}\n```", "{}"),
        ("  ```JSON\n{}```  \n", "{}"),
        ("```json\n{}\n", None),
        ("```json {}```", None),
        ("see ```json\n{}\n```", None),
        ("```json\n" + " " * 100_000, None),
    ],
)
def test_only_a_fence_around_the_whole_goes(text: str, inside: str | None) -> None:
    """In time that grows with the text, not with its square."""
    assert cleaned(Contract(json=True), Completion(text)).text == (text if inside is None else inside)


def test_a_forbidden_call_is_a_finding() -> None:
    """Without tools, and where tool_choice forbids them."""
    assert "the request allows none" in str(finding(Contract(), Completion("", tool_calls=(call("f"),))))


def test_an_answer_of_thousands_of_calls_is_broken() -> None:
    """A model that is stuck; none of the calls is looked at."""
    calls = tuple(call("f") for _ in range(5_000))
    assert "makes 5000 calls" in str(finding(contract_of_tool(), Completion("", tool_calls=calls)))


def contract_of_tool() -> Contract:
    return derive_contract(request(tools=[TOOL]))


async def test_an_answer_is_checked_alike_at_once_and_in_a_worker() -> None:
    """Small ones here, large ones in another process."""
    workers = WorkerPool(preload=WORKER_MODULES)
    contract = Contract(json=True, schema={"type": "array", "items": {"type": "integer"}}, workers=workers)
    small, large = Completion("[1, 2]"), Completion(json.dumps(list(range(100_000))))
    wrong = Completion(json.dumps([*range(100_000), "x"]))
    try:
        assert await contract.read_async(small) == contract.read(small)
        assert workers.n_started == 0
        assert await contract.read_async(large) == contract.read(large)
        assert await contract.read_async(wrong) == contract.read(wrong)
        assert workers.n_started == 1
        assert "at $[100000]" in str(contract.read(wrong).finding)
    finally:
        await workers.close()


async def test_without_workers_a_large_answer_is_checked_here() -> None:
    """For example in an evaluation, where no other request waits."""
    contract = Contract(json=True, schema={"type": "array", "items": {"type": "integer"}})
    assert (await contract.read_async(Completion(json.dumps(list(range(50_000)))))).finding is None


async def test_an_answer_that_exceeds_every_budget_is_broken() -> None:
    """The finding says that it was not checked."""
    contract = Contract(edits=EditForm.EDIT_BLOCKS, workspace=Workspace({"x.py": "a\n" * 60_000}))
    block = "x.py\n<<<<<<< SEARCH\nq\n=======\ny\n>>>>>>> REPLACE\n"
    assert "too complex" in str((await contract.read_async(Completion(block * 5_000))).finding)
    assert await contract.assemble([(block * 5_000, 1)]) is None


_LINES = st.text(st.sampled_from("ab \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028é"), max_size=12)


@given(_LINES, _LINES)
def test_outcomes_of_texts_are_equal_without_white_space_at_line_ends(one: str, other: str) -> None:
    """Whatever the line ends and the white space are: the lines themselves decide."""
    lines = [[line.rstrip() for line in text.strip().splitlines()] for text in (one, other)]
    assert all_equal(Contract(), [Completion(text=one), Completion(text=other)]) == (lines[0] == lines[1])
