"""Readers of foreign text against hostile shapes. Work is counted, so that a stall fails on any machine alike."""

from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from handlers.ui.diffs import DiffBudget, compute_diff
from handlers.ui.overlap import measure_overlap
from runtime.budget import Budget, BudgetExceededError
from runtime.json_steps import exceeds_values, finish
from synth.contract.contract import INLINE_STEPS, Contract, derive_contract
from synth.contract.json_schema import find_mismatch, find_schema_defect, strip_fence
from synth.edits import EditForm, Workspace, find_code_block
from synth.normalize import Completion
from synth.prompts.pick import read_picks
from synth.reasoning_marks import split_reasoning
from synth.request import ChatRequest
from tests.shapes import MAX_CHARS, SHAPES, TOKENS, list_long_lines
from tests.work_limit import MAX_LINES, limit_work

MANY = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
EDIT_FORMS = [form for form in EditForm if form is not EditForm.CODE]


def read(contract: Contract, text: str) -> None:
    """Check an answer in the steps that a turn of the loop has; what takes more is for a worker."""
    try:
        with limit_work():
            contract.read_within(Completion(text), Budget(INLINE_STEPS))
    except BudgetExceededError:
        pass


def wrap(form: EditForm, text: str) -> str:
    """Return an answer with the text inside an edit, so that what applies edits and checks files sees it too."""
    if form is EditForm.EDIT_BLOCKS:
        return f"a.py\n<<<<<<< SEARCH\n{text}\n=======\nb\n>>>>>>> REPLACE\n"
    if form is EditForm.UDIFF:
        return f"```diff\n--- a.py\n+++ a.py\n@@ ... @@\n{text}\n```\n"
    if form is EditForm.PATCH:
        return "*** Begin Patch\n*** Add File: b.yaml\n+" + text.replace("\n", "\n+") + "\n*** End Patch"
    return f"b.toml\n```\n{text}\n```\n" if form is EditForm.WHOLE_FILE else f"```python\n{text}\n```"


@pytest.mark.parametrize("form", EditForm)
@MANY
@given(answer=SHAPES, shown=SHAPES, inside=st.booleans())
def test_no_answer_stalls_the_edits(form: EditForm, answer: str, shown: str, inside: bool) -> None:
    """Neither its own shape nor that of the files that it edits."""
    files = Workspace({"a.py": shown, "c.py": "x = 1\n"})
    read(Contract(edits=form, workspace=files), wrap(form, answer) if inside else answer)


@pytest.mark.parametrize("form", EditForm)
def test_no_repeated_token_stalls_the_edits(form: EditForm) -> None:
    """At sizes below and above what the budget of a turn allows, since the turn is longest just below it."""
    files = Workspace({"a.py": "=", "c.py": "x = 1\n"})
    for token, n_chars in product(TOKENS, [50_000, 100_000, 200_000, 400_000, MAX_CHARS]):
        text = token * (n_chars // len(token))
        read(Contract(edits=form, workspace=files), text)
        read(Contract(edits=form, workspace=files), wrap(form, text))


@pytest.mark.parametrize("language", ["yaml", "toml", "json", "py"])
@MANY
@given(text=SHAPES)
def test_no_file_stalls_a_syntax_check(language: str, text: str) -> None:
    """The parsers are native, or the standard library's."""
    new_file = f"b.{language}\n<<<<<<< SEARCH\n=======\n{text}\n>>>>>>> REPLACE\n"
    read(Contract(edits=EditForm.EDIT_BLOCKS, workspace=Workspace({"a": "x\n"})), new_file)


@MANY
@given(system=SHAPES, shown=SHAPES, asked=SHAPES)
def test_no_conversation_stalls_the_contract(system: str, shown: str, asked: str) -> None:
    """What it demands, and which files it shows, is found before any model is asked."""
    rules = "Write the entire content of each file:\na.py\n```\n...\n```\n"
    for instructions in (system, rules + system):
        messages = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": shown},
            {"role": "assistant", "content": "Ok."},
            {"role": "user", "content": asked},
        ]
        with limit_work(2 * MAX_LINES):
            derive_contract(ChatRequest(None, messages, {}))


@MANY
@given(text=SHAPES)
def test_no_answer_stalls_its_other_readers(text: str) -> None:
    """Code blocks, JSON, a critic's choice, reasoning."""
    with limit_work():
        find_code_block(text)
    read(Contract(json=True), text)
    read(Contract(json=True, schema={"type": "array", "items": {"pattern": "^(a+)+$"}}), text)
    with limit_work():
        strip_fence(f"```json\n{text}```")
    with limit_work():
        read_picks(text, 5)
    with limit_work():
        split_reasoning(f"<think>{text}")
    with limit_work():
        finish(exceeds_values(text.encode("utf-8", "surrogatepass"), 10_000))


def test_no_long_line_stalls_a_reader() -> None:
    """Patterns that overlap themselves show it there: all tokens, fillers and ends are combined."""
    contract = Contract(edits=EditForm.CODE)
    for text in list_long_lines(20_000):
        with limit_work(max_cpu_s=1.0):
            derive_contract(ChatRequest(None, [{"role": "system", "content": text}], {}))
            find_code_block(text)
            read_picks(text, 5)
            contract.read(Completion(text))
            strip_fence(text)
            split_reasoning(text)


@MANY
@given(before=SHAPES, after=SHAPES)
def test_no_text_stalls_a_trace_page(before: str, after: str) -> None:
    """Pages are built in a thread, which shares the interpreter: some turns' worth of work is fine there."""
    with limit_work(10 * MAX_LINES):
        compute_diff(before, after, DiffBudget())
    with limit_work(10 * MAX_LINES):
        measure_overlap(before, {"a": [after]})


_LEAVES = st.sampled_from(
    [{}, {"type": "string"}, {"pattern": "^(a+)+$"}, {"enum": [1, 2]}, True, {"$ref": "#"}, {"$ref": "#/$defs/a"}]
)
_KEYWORDS = st.sampled_from(
    ["allOf", "anyOf", "oneOf", "items", "not", "properties", "additionalProperties", "prefixItems"]
)


def _nest_schema(schema: Any, keyword: str, width: int, depth: int) -> Any:
    for _ in range(depth):
        if keyword == "properties":
            schema = {keyword: {f"p{n}": schema for n in range(width)}}
        else:
            schema = {keyword: [schema] * width if keyword.endswith("Of") or keyword == "prefixItems" else schema}
    return schema


_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.builds(
        _nest_schema, inner, _KEYWORDS, st.sampled_from([1, 2, 3, 50]), st.sampled_from([1, 2, 5, 300])
    ),
    max_leaves=3,
)


def _size(value: Any) -> int:
    """Return about how many characters a value of equal elements has as JSON."""
    if not value or not isinstance(value, str | list | dict):
        return 4
    if isinstance(value, str):
        return len(value)
    return len(value) * _size(next(iter(value.values() if isinstance(value, dict) else value)))


# Elements are shared, so that a value of a few thousand objects can be one of more characters than memory has bytes.
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([1, None, "a" * 1_000, {}]),
    lambda inner: (
        st.builds(lambda value, n: [value] * n, inner, st.sampled_from([1, 10, 1_000]))
        | st.builds(lambda value, n: {f"p{m}": value for m in range(n)}, inner, st.sampled_from([1, 50]))
    ).filter(lambda value: _size(value) <= MAX_CHARS),
    max_leaves=3,
)


@MANY
@given(schema=_SCHEMAS, definition=_SCHEMAS, value=_VALUES)
def test_no_schema_stalls_a_request(schema: Any, definition: Any, value: Any) -> None:
    """It is refused, checked within the steps of a turn, or left to a worker."""
    whole = {"allOf": [schema], "$defs": {"a": definition}}
    with limit_work():
        defect = find_schema_defect(whole)
    if defect is None:
        try:
            with limit_work():
                find_mismatch(value, whole, Budget(INLINE_STEPS))
        except BudgetExceededError:
            pass
