"""POST /v1/chat/completions."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast, get_args

import structlog
from aiohttp import web

from config.settings import Mixture, Mode
from handlers import errors
from handlers.api.chat.parse import parse
from handlers.api.chat.replies import ChunkWriter, Envelope, ShownWork, json_body, usage_of
from handlers.api.reply_writer import Heartbeat, JsonReply, SseReply
from handlers.context import CONTEXT, RequestContext, Snapshot
from handlers.errors import ApiError
from handlers.gate.spending import SPENDING, budgets_of, check_quote, is_limit
from handlers.lifecycle.shutdown import SHUTDOWN, Shutdown
from handlers.request_record import RequestRecord
from handlers.traces.collector import Trace
from runtime.frozen import frozen
from synth import cost_estimate
from synth import mixture as mixtures
from synth.contract.contract import Contract, derive_contract
from synth.events import Emit, Event, Finished, SynthesisError
from synth.preflight import find_model_problem, impossible
from synth.request import ChatRequest
from synth.run import Run

_log = structlog.get_logger(__name__)


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """Answer one chat request by a mixture, or by a single configured model."""
    context, app = request[CONTEXT], request.app
    snapshot, record = context.snapshot, context.record
    trace = None if snapshot.traces is None else _trace(request, context)
    body = await _body(request, app[SHUTDOWN])
    record.bytes_in = len(body)
    if trace is not None:
        trace.body = body
    chat = parse(body, request.headers.get("Content-Type"))
    if trace is not None:
        trace.request = chat
    if chat.stream and snapshot.settings.server.streaming == "reject":
        raise ApiError(
            400,
            "stream: this gateway is configured without streaming; leave `stream` out or send false",
            param="stream",
            code="unsupported_value",
        )
    asked = _asked(snapshot, chat, request.headers.get("x-mom-mode"))
    budgets = budgets_of(snapshot.settings.server, context.key)
    _note_asked(record, asked, snapshot, is_limited=any(map(is_limit, budgets)))
    envelope = Envelope(record.reply_id, int(snapshot.unix_time()), asked.name)
    answering = _Answering(snapshot, record, trace, asked, envelope, app[SHUTDOWN])
    with app[SPENDING].charged(budgets, record.expected, record.ledger):
        return await answering.reply_to(request)


async def _body(request: web.Request, shutdown: Shutdown) -> bytes:
    content = request.content
    if content.is_eof() and content.total_bytes <= request.client_max_size and content.exception() is None:
        return content.read_nowait()  # it is here already, as short ones are
    try:
        with shutdown.bounded():
            return await request.read()
    except web.RequestPayloadError as error:
        content.feed_eof()  # else the server would read on, and log the same error as its own
        message = "the body cannot be read: it is not what its Content-Encoding or its length says"
        raise ApiError(400, message, code="invalid_encoding", headers={"Connection": "close"}) from error


def _trace(request: web.Request, context: RequestContext) -> Trace:
    snapshot = context.snapshot
    trace = Trace(context.request_id, request.headers, context.record, snapshot.pool.clock(), snapshot.unix_time())
    context.trace = trace
    return trace


@frozen
class _Asked:
    """What is asked, and of whom: of a mixture, or of the single model of this name."""

    chat: ChatRequest
    contract: Contract
    name: str
    mixture: Mixture | None


def _asked(snapshot: Snapshot, chat: ChatRequest, mode: str | None) -> _Asked:
    """Find who is to answer; ApiError (404) where there is no such name, and (400) for what they can't do."""
    name = chat.model or snapshot.settings.mixtures[0].name
    mixture = _mixture_named(name, snapshot, mode)
    contract = derive_contract(chat, of_edits=mixture is not None)
    problem = (
        find_model_problem(chat, contract, snapshot.models[name])
        if mixture is None
        else impossible(chat, contract, mixture, snapshot.models)
    )
    if problem is not None:
        raise ApiError(400, f"{problem.param}: {problem.message}", param=problem.param, code="unsupported_value")
    return _Asked(chat, contract, name, mixture)


def _note_asked(record: RequestRecord, asked: _Asked, snapshot: Snapshot, *, is_limited: bool) -> None:
    """Write down what is known before the run; ApiError (429) for what would cost more than its mixture allows.

    What the request may use is estimated only where something limits it.
    """
    chat, mixture = asked.chat, asked.mixture
    record.stream, record.currency = chat.stream, snapshot.settings.server.currency
    if mixture is None:
        record.mode = "direct"
        if is_limited:
            record.expected = cost_estimate.of_model(chat, snapshot.models[asked.name])
        return
    record.mixture, record.mode = mixture.name, mixture.mode
    if is_limited or mixture.max_cost is not None:
        record.expected = cost_estimate.of_mixture(chat, mixture, snapshot.models)
        check_quote(record.expected, mixture, record.currency)


def _mixture_named(name: str, snapshot: Snapshot, mode: str | None) -> Mixture | None:
    """Return the mixture of a name, in the mode that the client wants; None for a single model's name."""
    mixture = snapshot.mixtures.get(name)
    if mixture is None and name not in snapshot.models:
        there_is = ", ".join([*snapshot.mixtures, *snapshot.models])
        raise ApiError(404, f"there is no model {name!r}; there is {there_is}", param="model", code="model_not_found")
    return mixture if mixture is None or mode is None else replace(mixture, mode=_known_mode(mode))


def _known_mode(name: str) -> Mode:
    for mode in get_args(Mode):
        if mode == name:
            return cast("Mode", mode)
    modes = ", ".join(get_args(Mode))
    raise ApiError(400, f"x-mom-mode: must be one of {modes}", param="x-mom-mode", code="invalid_value")


@frozen
class _Answering:
    """One chat request that is being answered, in either form of reply."""

    snapshot: Snapshot
    record: RequestRecord
    trace: Trace | None
    asked: _Asked
    envelope: Envelope
    shutdown: Shutdown

    async def reply_to(self, request: web.Request) -> web.StreamResponse:
        """Reply with server-sent events or one JSON body, as the client has asked."""
        reply = SseReply(request) if self.asked.chat.stream else JsonReply(request)
        try:
            return await self._sent(reply)
        except ConnectionResetError as error:  # the server is about to cancel a request that nobody waits for
            raise asyncio.CancelledError("the client has left") from error
        finally:
            self.record.bytes_out = reply.n_bytes

    async def _sent(self, reply: JsonReply | SseReply) -> web.StreamResponse:
        server = self.snapshot.settings.server
        heartbeat_s = server.stream_heartbeat_s if self.asked.chat.stream else server.json_heartbeat_s
        heartbeat = Heartbeat(heartbeat_s, reply, self.snapshot.pool.timers)
        try:
            try:
                with self.shutdown.bounded():
                    await (self._stream(reply) if isinstance(reply, SseReply) else self._fill(reply))
            finally:
                await heartbeat.end()
        except SynthesisError as error:
            api_error = errors.from_synthesis(error)
        except ApiError as error:
            api_error = error
        except ConnectionResetError:  # by our own writing: an upstream's would be a CallError
            raise
        except Exception:
            if not reply.committed:
                raise
            _log.exception("unexpected error", path="/v1/chat/completions")
            api_error = errors.unexpected()
        else:
            return await reply.end()
        self.record.outcome, self.record.error = "failed", api_error.body()["error"]
        return await reply.fail(api_error)

    async def _fill(self, reply: JsonReply) -> None:
        work = ShownWork(self.asked.mixture)
        readers = [*self._readers(), work.read] if work.is_shown else self._readers()

        async def emit(event: Event) -> None:
            for read in readers:
                read(event)

        finished = await self._answer(emit)
        reply.body = json_body(self.envelope, finished, self._usage(finished), work)

    async def _stream(self, reply: SseReply) -> None:
        chat = self.asked.chat
        chunks = ChunkWriter(self.envelope, chat.n, ShownWork(self.asked.mixture))
        readers = self._readers()

        async def emit(event: Event) -> None:
            for read in readers:
                read(event)
            data = chunks.read(event)
            if not data:
                return
            if self.record.first_chunk_s is None:
                data = chunks.opening() + data
                self.record.first_chunk_s = self.snapshot.pool.clock() - self.record.started
            await reply.write(data)

        finished = await self._answer(emit)
        usage = chunks.usage(self._usage(finished)) if chat.include_usage else b""
        reply.last = usage + chunks.end()

    async def _answer(self, emit: Emit) -> Finished:
        snapshot, asked = self.snapshot, self.asked
        deadline_s = (asked.mixture or snapshot.settings.mixtures[0]).deadline_s
        started = snapshot.pool.clock()
        run = Run(
            asked.chat,
            asked.contract,
            snapshot.models,
            snapshot.pool,
            self.record.ledger,
            emit,
            started,
            started + deadline_s,
            incremental=asked.chat.stream,
            shows_reasoning=asked.mixture is None or asked.mixture.show_reasoning,
        )
        if asked.mixture is None:
            return await mixtures.answer_directly(run, asked.name)
        return await mixtures.answer(run, asked.mixture)

    def _readers(self) -> list[Callable[[Event], object]]:
        return [self.record.read] if self.trace is None else [self.record.read, self.trace.read]

    def _usage(self, finished: Finished) -> dict[str, Any]:
        return usage_of(finished, self.record.ledger, self.asked.chat, self.snapshot.settings.server)
