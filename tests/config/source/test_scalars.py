"""The values of plain scalars."""

import math

import pytest

from config.source.scalars import ScalarValue, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("012", 12),
        ("0o17", 15),
        ("0xff", 255),
        ("1.5", 1.5),
        (".5", 0.5),
        ("3.", 3.0),
        ("1e-3", 0.001),
        ("-.inf", -math.inf),
        (".INF", math.inf),
        ("9" * 5000, math.inf),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml(text: str, value: ScalarValue) -> None:
    """Null, booleans and numbers are those of YAML 1.2."""
    found = resolve(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    ["no", "on", "yes", "nULL", "1:30", "1_000", "2024-01-01", "=", "0b1", ".", "-", "1.2.3", "e5", "٣"],
)
def test_everything_else_is_text(text: str) -> None:
    """Words, times and dates that YAML 1.1 converted stay text."""
    assert resolve(text) == text


def test_nan_is_a_number() -> None:
    """NaN is parsed, so that the message can name it."""
    found = resolve(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)
