"""The banner of a start, with commands to paste."""

import pytest

from config.settings import ApiKey, Model, Secret, Server, Weights
from handlers.terminal.banner import format_banner
from tests.running import model, settings

QUESTION = """messages:='[{"role":"user","content":"Reverse a string in Python"}]'"""
AIDER = "LM_STUDIO_API_BASE=http://127.0.0.1:8000/v1 LM_STUDIO_API_KEY=123 aider --model lm_studio/mom --no-stream"


def printed(server: Server, *, port: int = 8000) -> list[str]:
    models = [model("a", "http://127.0.0.1:1/v1"), model("b", "http://127.0.0.1:1/v1")]
    return format_banner(settings(models, server=server), port).splitlines()


def test_the_banner_has_endpoint_mixtures_and_commands() -> None:
    """The endpoint with the real port, each mixture, a line for httpie and one for aider."""
    assert printed(Server(port=0), port=4711) == [
        "Mixture-of-Models Gateway on http://127.0.0.1:4711/v1",
        "  mom: panel a, b; critic a; mode auto",
        "Try:",
        f"  http :4711/v1/chat/completions model=mom {QUESTION}",
        f"  {AIDER.replace('8000', '4711')}",
    ]


def test_commands_have_a_placeholder_for_the_key() -> None:
    """The banner has the names of the keys, never the keys."""
    keys = tuple(ApiKey(name, Secret(f"secret of {name}", "X")) for name in ("laptop", "ci"))
    lines = printed(Server(api_keys=keys))
    assert lines[2:] == [
        "  Replace YOUR_KEY below by the key of laptop or ci.",
        "Try:",
        f"  http -A bearer -a YOUR_KEY :8000/v1/chat/completions model=mom {QUESTION}",
        f"  {AIDER.replace('123', 'YOUR_KEY')}",
    ]


@pytest.mark.parametrize(
    ("host", "shown", "httpie", "base"),
    [
        ("localhost", "localhost:8000", ":8000", "127.0.0.1:8000"),
        ("0.0.0.0", "0.0.0.0:8000", ":8000", "127.0.0.1:8000"),
        ("192.0.2.7", "192.0.2.7:8000", "192.0.2.7:8000", "192.0.2.7:8000"),
        ("::1", "[::1]:8000", "[::1]:8000", "[::1]:8000"),
        ("::", "[::]:8000", "[::1]:8000", "[::1]:8000"),
        ("box.lan", "box.lan:8000", "box.lan:8000", "box.lan:8000"),
    ],
)
def test_commands_use_an_address_that_works_here(host: str, shown: str, httpie: str, base: str) -> None:
    """The banner has the address of the socket; its commands use an address that works on this machine."""
    first, *_, http, aider = printed(Server(host=host))
    assert first.endswith(f" on http://{shown}/v1")
    assert f"http {httpie}/v1/chat" in http
    assert f"LM_STUDIO_API_BASE=http://{base}/v1 " in aider


def test_embedded_models_are_described_as_tiny() -> None:
    """A user should not judge mixtures by them."""
    tiny = Model("tiny", "", "embedded", None, "smollm2-135m", weights=Weights(name="smollm2-135m"))
    assert "tiny, for a first try" in format_banner(settings([tiny]), 8000)


def test_the_address_of_the_trace_pages() -> None:
    """The banner has it if traces are kept."""
    lines = format_banner(
        settings([model("a", "http://127.0.0.1:1/v1")], server=Server(host="0.0.0.0")), 8000, has_pages=True
    )
    assert "  Traces: http://127.0.0.1:8000/ui" in lines.splitlines()
