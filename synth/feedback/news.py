"""Find the news in a request: its verdicts on the answers that it carries. Pure, and linear in the text."""

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.frozen import frozen
from synth.feedback.tool_results import is_edit, read_result
from synth.feedback.user_words import read_user_messages
from synth.feedback.verdict import Reading, worst
from synth.request import Message, text_of
from synth.tool_turns import since_last_turn

_MAX_MESSAGES = 60  # behind the answer, and back to the turn in which an agent has edited
_MAX_CHARS = 200_000  # of one message; longer ones are ignored
_MAX_ACKNOWLEDGEMENT_CHARS = 200


@frozen
class News:
    """A verdict of a request on one of its assistant messages."""

    answer: Message
    reading: Reading


def find_news(messages: Sequence[Message]) -> list[News]:
    """Return the news in a conversation, about the last answer and, during work with tools, about the last edit.

    Only clear signals count. Earlier answers had their news in earlier requests.
    """
    # The answer is the last real message of the assistant: aider adds assistant messages of its own ("Ok.") behind
    # everything that it reports, so those are skipped.
    last = _find_answer(messages)
    if last is None:
        return []
    after = messages[last + 1 :]
    if any(message.get("role") in ("tool", "function") for message in after):
        return _read_tools(messages, last, after)
    texts = [_read_text(message) for message in after if message.get("role") == "user"]
    reading = worst(read_user_messages(texts))
    return [] if reading is None else [News(messages[last], reading)]


def _find_answer(messages: Sequence[Message]) -> int | None:
    for position in range(len(messages) - 1, max(-1, len(messages) - 1 - _MAX_MESSAGES), -1):
        if messages[position].get("role") == "assistant" and not _is_acknowledgement(messages[position]):
            return position
    return None


def _is_acknowledgement(message: Message) -> bool:
    if message.get("tool_calls") or message.get("function_call"):
        return False
    text = text_of(message.get("content"))
    return len(text) <= _MAX_ACKNOWLEDGEMENT_CHARS and text.startswith("Ok") and text[2:3] in ("", ".", ",")


def _read_tools(messages: Sequence[Message], last: int, after: Sequence[Message]) -> list[News]:
    calls = _index_calls(messages[last])
    of_call: list[Reading] = []
    of_edit: list[Reading] = []
    for message in after:
        if message.get("role") not in ("tool", "function"):
            continue
        key = str(message.get("tool_call_id") or message.get("name"))
        name, arguments = calls.get(key, (str(message.get("name") or ""), ""))
        reading, is_about_edit = read_result(name, arguments, _read_text(message))
        if reading is not None:
            (of_edit if is_about_edit else of_call).append(reading)
    edit = _find_edit(messages) if of_edit else None
    if edit is messages[last]:
        of_call, of_edit = of_call + of_edit, []
    found = [(messages[last], worst(of_call)), (edit, worst(of_edit))]
    return [News(answer, reading) for answer, reading in found if answer is not None and reading is not None]


def _find_edit(messages: Sequence[Message]) -> Message | None:
    """Return the latest message that changed a file since the user's last turn: tests are about its work.

    Without one the tests were run on the state before the answer.
    """
    recent = since_last_turn(messages)[-_MAX_MESSAGES:]
    return next(
        (each for each in reversed(recent) if any(is_edit(*call) for call in _index_calls(each).values())), None
    )


def _index_calls(message: Message) -> dict[str, tuple[str, str]]:
    """Return the tool's name and the arguments of each call of a message by its id; an older one's by the name."""
    if message.get("role") != "assistant":
        return {}
    calls = message.get("tool_calls")
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    functions = [(str(call.get("id")), call.get("function") or call.get("custom")) for call in found]
    if isinstance(function := message.get("function_call"), dict):
        functions.append((str(function.get("name")), function))
    return {key: _read_function(function) for key, function in functions if isinstance(function, dict)}


def _read_function(function: Mapping[str, Any]) -> tuple[str, str]:
    return str(function.get("name") or ""), str(function.get("arguments") or function.get("input") or "")


def _read_text(message: Message) -> str:
    text = text_of(message.get("content"))
    return text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS // 2]}\n{text[-_MAX_CHARS // 2 :]}"
