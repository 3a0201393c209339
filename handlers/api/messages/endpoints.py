"""The further endpoints that Anthropic's clients use: token counts, and a greeting."""

import json

from aiohttp import web

from handlers.api.body import decode_body
from handlers.api.messages.parse import parse_messages
from handlers.context import CONTEXT
from synth.ledger import estimate_prompt_tokens, estimate_tokens


async def count_tokens(request: web.Request) -> web.Response:
    """Return an estimate of a request's input tokens, marked as one in `mom.estimated`."""
    context = request[CONTEXT]
    context.record.api = "messages"
    chat = parse_messages(decode_body(context.body, request.headers.get("Content-Type")))
    n_tokens = estimate_prompt_tokens(chat.messages)
    if chat.params.get("tools"):
        n_tokens += estimate_tokens(len(json.dumps(chat.params["tools"])))
    return web.json_response({"input_tokens": n_tokens, "mom": {"estimated": True}})


async def hello(_: web.Request) -> web.Response:
    """Answer Claude Code's first request, which only checks that something listens."""
    return web.Response()
