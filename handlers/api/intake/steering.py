"""Read the field `mom` of a request, by which it steers its mixture. Every error names the path of the field. Pure."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast, get_args

from config.reader import is_finite, suggest
from config.settings import Mode
from handlers.api.intake.body import refuse, type_name
from synth.request import UNSTEERED, Shown, Steering

STEERING_FIELD = "mom"

_WITHOUT_MEANING = frozenset({"models"})
"""Keys that clients already sent while unknown fields were passed on; they never had a meaning, and still have none."""

_MAX_SHOWN_CHARS = 60
_MAX_STAGE = 1_000


def read_steering(fields: Mapping[str, Any]) -> Steering:
    """Return the steering in the field `mom` of a request's body. Raises ApiError (400) if it is invalid.

    A null counts as unset, here and inside.
    """
    stated = fields.get(STEERING_FIELD)
    if stated is None:
        return UNSTEERED
    if not isinstance(stated, dict):
        refuse(STEERING_FIELD, f"must be an object, is {type_name(stated)}")
    values: dict[str, Any] = {}
    for key, value in stated.items():
        if key in _WITHOUT_MEANING:
            continue
        if key not in _READERS:
            refuse(f"{STEERING_FIELD}.{_shorten(key)}", f"is an unknown key{_suggest(key, _READERS)}")
        if value is not None:
            values[key] = _READERS[key](f"{STEERING_FIELD}.{key}", value)
    return Steering(**values)


def read_mode(path: str, value: Any) -> Mode:
    """Return the mode of this name. Raises ApiError (400) if there is none."""
    modes = get_args(Mode)
    if value not in modes:
        refuse(path, f"must be one of {', '.join(modes)}, {_describe(value)}{_suggest(value, modes)}")
    return cast("Mode", value)


def _read_panel(path: str, value: Any) -> tuple[str, ...]:
    if value is False:
        return ()
    rule = "must be an array of models' names, or false for no panel"
    if not isinstance(value, list) or not value:
        refuse(path, f"{rule}, {_describe(value)}")
    names: dict[str, int] = {}
    for position, name in enumerate(value):
        at = f"{path}[{position}]"
        if not isinstance(name, str):
            refuse(at, f"must be the name of a model, {_describe(name)}")
        if name in names:
            refuse(at, f"is listed twice, first as [{names[name]}]")
        names[name] = position
    return tuple(names)


def _read_critic(path: str, value: Any) -> str:
    if value is False:
        return ""
    if not isinstance(value, str) or not value:
        refuse(path, f"must be the name of a model, or false for no critic, {_describe(value)}")
    return value


def _read_stages(path: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        refuse(path, f"must be an array of whole numbers, {_describe(value)}")
    for position, size in enumerate(value):
        if type(size) is not int or not 1 <= size <= _MAX_STAGE:
            refuse(f"{path}[{position}]", f"must be a whole number from 1 to {_MAX_STAGE}, {_describe(size)}")
    return tuple(value)


def _read_max_cost(path: str, value: Any) -> Decimal:
    if type(value) not in (int, float) or not is_finite(value) or value <= 0:
        refuse(path, f"must be a number above 0, {_describe(value)}")
    return Decimal(repr(value))


def _read_show(path: str, value: Any) -> frozenset[Shown]:
    words = get_args(Shown)
    if not isinstance(value, list):
        refuse(path, f"must be an array of {' and '.join(words)}, {_describe(value)}")
    for position, word in enumerate(value):
        if word not in words:
            refuse(f"{path}[{position}]", f"must be {' or '.join(words)}, {_describe(word)}{_suggest(word, words)}")
    return frozenset(value)


def _describe(value: Any) -> str:
    if isinstance(value, str):
        return f"is {_shorten(value)!r}"
    if isinstance(value, bool):
        return f"is {str(value).lower()}"
    if value == []:
        return "is empty"
    is_short = isinstance(value, int | float) and is_finite(value)
    return f"is {_shorten(repr(value))}" if is_short else f"is {type_name(value)}"


def _suggest(word: Any, words: Any) -> str:
    return suggest(_shorten(word), words) if isinstance(word, str) else ""


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}…"


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "mode": read_mode,
    "panel": _read_panel,
    "critic": _read_critic,
    "stages": _read_stages,
    "max_cost": _read_max_cost,
    "show": _read_show,
}
