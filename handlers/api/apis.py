"""The client APIs and the paths that they are served at."""

from collections.abc import Mapping

from handlers.api.ask.api import AskApi
from handlers.api.chat.api import ChatApi
from handlers.api.client_api import ClientApi
from handlers.api.messages.api import MessagesApi
from handlers.api.responses.api import ResponsesApi

_ASK = AskApi()
_CHAT = ChatApi()
_MESSAGES = MessagesApi()

APIS: Mapping[str, ClientApi] = {
    "/v1/chat/completions": _CHAT,
    "/v1/messages": _MESSAGES,
    "/v1/responses": ResponsesApi(),
    "/v1/ask": _ASK,
}

PAGE_APIS: Mapping[str, ClientApi] = {"/ui/ask": _ASK}
"""The APIs that only the gateway's own pages use; they exist while the pages do."""


def find_api(path: str) -> ClientApi:
    """Return the API in whose shape an error on this path is reported; Chat Completions for all other paths."""
    return APIS.get(path) or (_MESSAGES if path.startswith("/v1/messages/") else _CHAT)
