"""A request as a curl command."""

import json
import shlex

from handlers.traces.schema import Asked
from handlers.ui.request.curl import to_curl

URL = "http://127.0.0.1:8000"


def test_the_command_sends_the_request_again() -> None:
    """Read by a shell, it has the same body, whatever quotes the text has."""
    messages = [{"role": "user", "content": 'It\'s $HOME `x` "quoted"\nand é'}]
    command = to_curl(Asked(model="mom", stream=True, params={"top_k": 3}, messages=[*messages]), URL)
    assert command is not None
    words = shlex.split(command)
    assert words[:3] == ["curl", "-N", f"{URL}/v1/chat/completions"]
    body = json.loads(words[words.index("--data-raw") + 1])
    assert body == {"model": "mom", "top_k": 3, "stream": True, "messages": messages}
    assert "Authorization" not in command


def test_the_key_comes_from_the_environment() -> None:
    """Traces hold none."""
    for header in ("Authorization", "X-Api-Key"):
        command = to_curl(Asked({header: "[redacted]"}, messages=[]), URL)
        assert command is not None
        assert '-H "Authorization: Bearer $MOM_API_KEY"' in command


def test_the_mode_of_a_header_is_kept() -> None:
    """The same request in another mode would be another request; its text is quoted like any other."""
    command = to_curl(Asked({"X-Mom-Mode": "select'; true '"}, messages=[]), URL)
    assert command is not None
    assert "x-mom-mode: select'; true '" in shlex.split(command)


def test_invisible_characters_are_escaped() -> None:
    """A terminal would act on some of them, and others turn the direction of what follows; JSON may name each."""
    text = "a\x7fb\u202ec\u2028d\x85"
    command = to_curl(Asked(messages=[{"role": "user", "content": text}]), URL)
    assert command is not None
    assert all(character.isprintable() or character == "\n" for character in command)
    assert json.loads(shlex.split(command)[-1])["messages"][0]["content"] == text


def test_some_requests_have_no_command() -> None:
    """Those that could not be parsed, and those too long for a shell."""
    assert to_curl(Asked(body="{"), URL) is None
    assert to_curl(Asked(messages=[{"role": "user", "content": "x" * 200_000}]), URL) is None
