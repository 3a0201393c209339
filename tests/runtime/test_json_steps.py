"""JSON in steps, compared with JSON at once."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import json_codec, json_steps
from runtime.json_steps import Steps, finish

_TEXTS = st.text(alphabet=st.sampled_from('ab"\\\n\x01\u00e9\u4e2d\U0001f600,[{') | st.characters(codec="utf-8"))
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner), max_leaves=20)
_TINY = 32  # bytes of a step, so that small texts take many of them

each_step = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True, params=[_TINY, json_steps.STEP_BYTES])
def _step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_steps, "STEP_BYTES", request.param)


@given(_VALUES, st.booleans(), st.integers(0, 40))
@each_step
def test_decoding_in_steps_gives_the_same_value(value: Any, ensure_ascii: bool, n_spaces: int) -> None:
    """Wherever strings are cut: between escapes, surrogates, bytes of a character."""
    text = " " * n_spaces + json.dumps([value], ensure_ascii=ensure_ascii, indent=1) + " " * n_spaces
    assert finish(json_steps.decode(text.encode())) == [value]


@pytest.mark.parametrize(
    "piece",
    [r"\\", r"\n", r"\u4e2d", r"\ud83d\ude00", r"\\ud83d\ude00"[:7], "é", "中", "😀", r"\"", r"a\\", r"\\\ud83d\ude00"],
)
@pytest.mark.parametrize("n_before", range(14))
def test_a_long_string_is_cut_at_any_place(piece: str, n_before: int) -> None:
    """Long runs of one escape or character, which nothing else interrupts."""
    text = f'"{"a" * n_before}{piece * 100}"'
    assert finish(json_steps.decode(text.encode())) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" " * 100,
        b"[1",
        b"[NaN]",
        rb'["' + rb"\ud83d" * 40 + b'"]',
        b"[" * 5_000 + b"]" * 5_000,
        b'"' + b"\xff" * 99 + b'"',
    ],
)
def test_json_that_is_not_strict_is_refused(text: bytes) -> None:
    """As decoding at once does; the caller may then ask a more tolerant decoder."""
    with pytest.raises((ValueError, RecursionError)):
        finish(json_steps.decode(text))


@given(_VALUES)
@each_step
def test_encoding_in_steps_gives_the_same_bytes(value: Any) -> None:
    """All pieces together."""
    assert b"".join(finish(json_steps.encode(value))) == json_codec.encode(value)


@pytest.mark.parametrize("value", [["\n" * 100_000] * 10, [{"a": "b"}] * 10_000, {"a": {"b": "c" * 1_000_000}}])
def test_each_step_has_a_bounded_share_of_the_bytes(value: Any) -> None:
    """Besides skipping through a value once, to find its members."""
    text = json.dumps(value).encode()
    n_steps = len(text) // json_steps.STEP_BYTES
    assert _count(json_steps.decode(text)) >= n_steps
    assert _count(json_steps.exceeds_values(text, 10**6)) >= n_steps
    assert all(len(piece) <= 6 * max(json_steps.STEP_BYTES, 20) for piece in finish(json_steps.encode(value)))


def _count(steps: Steps[Any]) -> int:
    return sum(1 for _ in steps)


def _exceeds(text: bytes, limit: int) -> bool:
    return finish(json_steps.exceeds_values(text, limit))


def _count_values(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_count_values(each) for each in inner)


@given(_VALUES, st.booleans())
@each_step
def test_no_text_with_too_many_values_passes(value: Any, ensure_ascii: bool) -> None:
    """The bound is checked before decoding, so it must hold for every JSON text."""
    count = _count_values(value)
    text = json.dumps(value, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
    assert _exceeds(text, count - 1)


@pytest.mark.parametrize(
    "prose",
    ['a, b, [c], {d}, "e", ' * 1000, '\\" , ' * 1000, "\\\\" * 1000 + ",", "\u00e9, " * 1000],
)
def test_punctuation_inside_strings_does_not_count(prose: str) -> None:
    """Code and prose are full of commas and brackets."""
    body = json.dumps({"messages": [{"role": "user", "content": prose}]}).encode()
    assert not _exceeds(body, 10)


@pytest.mark.parametrize("piece", [b"[", b"{", b"[],", b'"",', b'{"a":1},', b'"a":1,', b"1,", b'"\\"",', b'"\\\\",'])
def test_many_small_values_exceed_the_bound(piece: bytes) -> None:
    """Whatever the values are, and however their quotes are escaped; without an object for each of them."""
    assert _exceeds(b"[" + piece * 100_000, 50_000)


def test_other_encodings_are_counted_with_their_strings() -> None:
    """The bound holds for UTF-16 too, where quotes look different."""
    assert _exceeds(json.dumps([1] * 100).encode("utf-16"), 99)
    assert not _exceeds(json.dumps([1] * 100).encode("utf-16"), 200)
