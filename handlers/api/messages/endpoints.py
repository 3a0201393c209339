"""The further endpoints that Anthropic's clients use: token counts, and a greeting."""

from aiohttp import web

from handlers.api.intake.body import LARGE_BYTES, decode_body
from handlers.api.intake.limits import check_shape
from handlers.api.intake.naming import resolve_name
from handlers.api.messages.parse import parse_messages
from handlers.context import CONTEXT
from handlers.json_reply import respond_json
from runtime.json_codec import encode
from runtime.time_slice import TimeSlice
from synth.ledger import estimate_prompt_tokens, estimate_tokens
from upstream.openai.conversation import Conversation


async def count_tokens(request: web.Request) -> web.Response:
    """Return a request's input tokens, as the best-ranked member's upstream counts them.

    If the upstream has no counter it is an estimate, marked in `mom.estimated`.
    """
    context = request[CONTEXT]
    context.record.api = "messages"
    snapshot = context.snapshot
    time_slice = TimeSlice(snapshot.pool.timers.now)
    media_type = request.headers.get("Content-Type")
    chat = parse_messages(await decode_body(context.body, media_type, time_slice, snapshot.workers))
    if isinstance(chat.messages, Conversation):
        chat.messages.is_large = len(context.body) > LARGE_BYTES
    await time_slice.give_way()
    tools = chat.params.get("tools") or ()
    check_shape(chat, snapshot.settings.server)
    name = resolve_name(chat.model, snapshot, context.key)
    mixture = snapshot.mixtures.get(name)
    counted = await snapshot.pool.count_tokens(mixture.panel_models[0] if mixture else name, chat.messages, tools)
    if counted is not None:
        return respond_json({"input_tokens": counted})
    n_tokens = estimate_prompt_tokens(chat.messages) + (estimate_tokens(len(encode(tools))) if tools else 0)
    return respond_json({"input_tokens": n_tokens, "mom": {"estimated": True}})


async def hello(_: web.Request) -> web.Response:
    """Answer Claude Code's first request, which only checks that something listens."""
    return web.Response()
