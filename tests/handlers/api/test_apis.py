"""The client APIs by their paths, and the one in whose shape an error is reported."""

import pytest

from handlers.api.apis import APIS, PAGE_APIS, find_api


def test_each_api_is_served_at_its_path() -> None:
    """Clients know these paths; the names are those in logs, metrics and traces."""
    assert {path: api.name for path, api in APIS.items()} == {
        "/v1/chat/completions": "chat",
        "/v1/messages": "messages",
        "/v1/responses": "responses",
        "/v1/ask": "ask",
    }


def test_names_are_unique() -> None:
    """A metric's label names one API, also among those of the gateway's own pages."""
    names = [api.name for api in {*APIS.values(), *PAGE_APIS.values()}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/messages", "messages"),
        ("/v1/messages/count_tokens", "messages"),
        ("/v1/messages/batches", "messages"),
        ("/v1/messages2", "chat"),
        ("/v1/responses", "responses"),
        ("/v1/responses/resp_1", "chat"),
        ("/v1/ask", "ask"),
        ("/v1/models", "chat"),
        ("/", "chat"),
    ],
)
def test_errors_have_the_shape_that_the_client_of_a_path_reads(path: str, name: str) -> None:
    """Paths below /v1/messages have Anthropic's shape; unknown paths have OpenAI's."""
    assert find_api(path).name == name
