"""Answer one request of any client API: find the mixture or model, run it, and write the reply."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from handlers import errors
from handlers.api.client_api import CandidateReader, ClientApi, Envelope, ParsedRequest, Pulse
from handlers.api.intake.body import LARGE_BYTES, decode_body
from handlers.api.intake.limits import check_shape
from handlers.api.intake.target import Target, check_tools, find_target, record_target
from handlers.api.reply.reply_writer import Heartbeat, JsonReply, SseReply
from handlers.api.reply.run_report import RunReport
from handlers.api.reply.shown_work import ShownWork
from handlers.api.reply.usage import build_usage
from handlers.api.runs.shared_runs import Replay, RunKey, SharedRun, identify_body
from handlers.context import CONTEXT, RequestContext, Snapshot
from handlers.errors import ApiError
from handlers.gate.spending import SPENDING, Bill, Budget, budgets_of, is_limit
from handlers.lifecycle.connections import connection_of
from handlers.lifecycle.shutdown import SHUTDOWN, Shutdown
from handlers.request_record import RequestRecord
from handlers.traces.collector import TraceCollector
from runtime.frozen import frozen
from runtime.time_slice import TimeSlice
from synth import mixture as mixtures
from synth.events import Emit, Event, Finished, SynthesisError
from synth.feedback.learner import Learner
from synth.ledger import Ledger
from synth.request import ChatRequest
from synth.run import Run
from upstream.calls import Call
from upstream.openai.conversation import Conversation

_log = structlog.get_logger(__name__)

REPORT_AFTER_S = 10.0
NO_MEDIA_TYPE = "application/octet-stream"
"""The media type of a body without a Content-Type (RFC 9110, section 8.3), if its API needs one."""

_MAX_NAME_CHARS = 128  # the longest name that config.yaml allows


def answering(api: ClientApi) -> Handler:
    """Return the handler of an API's endpoint: it answers by a mixture, or by a single configured model."""

    async def handle(request: web.Request) -> web.StreamResponse:
        context, app = request[CONTEXT], request.app
        snapshot, record = context.snapshot, context.record
        trace = None if snapshot.traces is None else _begin_trace(request, context)
        body, context.body = context.body, b""  # not kept while the models answer
        record.api = api.name
        if trace is not None:
            trace.body = body
        run_key = await _identify(request, api, body)
        time_slice = TimeSlice(snapshot.pool.timers.now)
        is_large = len(body) > LARGE_BYTES
        media_type = request.headers.get("Content-Type") or (NO_MEDIA_TYPE if api.needs_media_type else None)
        fields = await decode_body(body, media_type, time_slice, snapshot.workers)
        del body  # the models may take minutes
        parsed = api.parse(fields)
        del fields
        await time_slice.give_way()
        if trace is not None:
            trace.request = parsed.chat
        try:
            check_shape(parsed.chat, snapshot.settings.server)
            await time_slice.give_way()
            target = find_target(parsed.chat, snapshot, context.key, request.headers)
            if is_large:
                await _prepare_to_encode(parsed.chat, time_slice)
            await check_tools(target, time_slice)
            capped = target.mixture or snapshot.day_caps.get(target.name)
            budgets = budgets_of(snapshot.settings.server, context.key, capped)
            record_target(record, target, snapshot, is_limited=any(map(is_limit, budgets)))
        except ApiError as error:
            if not (api.fails_in_stream and parsed.chat.stream):
                raise
            return await _fail_in_stream(request, parsed, error)
        asked_name = parsed.chat.model or target.name  # an alias comes back as the client wrote it
        record.alias = asked_name[:_MAX_NAME_CHARS] if asked_name != target.name else None
        envelope = Envelope(record.reply_id, int(snapshot.unix_time()), asked_name)
        show, work = parsed.chat.steering.show, ShownWork(target.mixture)
        report = RunReport(show, target.mixture) if show else None
        exchange = _Exchange(
            api,
            parsed,
            snapshot,
            record,
            trace,
            target,
            envelope,
            app[SHUTDOWN],
            work,
            report,
            run_key,
            partial(app[SPENDING].charge, key=context.key),
            budgets,
        )
        await time_slice.give_way()
        return await exchange.reply_to(request)

    return handle


async def _prepare_to_encode(chat: ChatRequest, time_slice: TimeSlice) -> None:
    """Encode a large conversation in advance, in steps, and mark it so that it is always encoded in steps."""
    conversation = chat.messages
    if isinstance(conversation, Conversation):
        conversation.is_large = True
        await time_slice.run(conversation.encode_in_steps())


async def _identify(request: web.Request, api: ClientApi, body: bytes) -> RunKey | None:
    """Return the key by which identical requests find each other, or None if this request shares no run."""
    context = request[CONTEXT]
    if not context.snapshot.settings.server.share_runs:
        return None
    if len(body) <= LARGE_BYTES:
        identity = identify_body(body)
    else:
        identity = await asyncio.to_thread(identify_body, body)
    return api.name, context.record.client, request.headers.get("x-mom-mode"), identity


async def _fail_in_stream(request: web.Request, parsed: ParsedRequest, error: ApiError) -> web.StreamResponse:
    """Refuse a request by a stream that consists of an error event."""
    context = request[CONTEXT]
    record = context.record
    record.refuse(error)
    envelope = Envelope(record.reply_id, int(context.snapshot.unix_time()), parsed.chat.model or "")
    writer = parsed.stream_writer(envelope, ShownWork(None))
    reply = SseReply(request, writer, fails_in_stream=True)
    try:
        return await reply.fail(error)
    finally:
        record.bytes_out = reply.n_bytes


def _begin_trace(request: web.Request, context: RequestContext) -> TraceCollector:
    snapshot = context.snapshot
    trace = TraceCollector(
        context.request_id, request.headers, context.record, snapshot.pool.clock(), snapshot.unix_time()
    )
    context.trace = trace
    if snapshot.traces is not None:
        snapshot.traces.running.add(trace)
    return trace


def _begin_learning(snapshot: Snapshot, target: Target, api: ClientApi, client: str | None) -> Learner | None:
    """Return the learner of a request, or None if its target is a single model or does not learn."""
    if target.mixture is None or snapshot.feedback is None:
        return None
    return snapshot.feedback.begin(
        target.mixture, target.chat, target.contract, models=snapshot.models, api=api.name, client=client
    )


def _find_candidate_reader(reply: JsonReply | SseReply) -> CandidateReader | None:
    if not isinstance(reply, SseReply):
        return None
    writer: object = reply.writer
    return writer if isinstance(writer, CandidateReader) else None


def _describe_running(call: Call, now: float) -> str:
    if call.started is None:
        return "not started"
    last = call.attempts[-1] if call.attempts else None
    attempt = f", attempt {len(call.attempts)}" if len(call.attempts) > 1 else ""
    state = "waits for a slot" if last is None else "answering" if last.first_byte is not None else "no reply yet"
    return f"{now - call.started:.1f} s{attempt}, {state}"


@frozen
class _Exchange:
    """One request while it is answered, as a stream or as one JSON body."""

    api: ClientApi
    parsed: ParsedRequest
    snapshot: Snapshot
    record: RequestRecord
    trace: TraceCollector | None
    target: Target
    envelope: Envelope
    shutdown: Shutdown
    work: ShownWork
    report: RunReport | None
    run_key: RunKey | None
    charge: Callable[..., AbstractAsyncContextManager[None]]
    budgets: tuple[Budget, ...]

    async def reply_to(self, request: web.Request) -> web.StreamResponse:
        """Reply with server-sent events or one JSON body, as the client asked."""
        reply: JsonReply | SseReply
        if self.target.chat.stream:
            writer = self.parsed.stream_writer(self.envelope, self.work)
            reply = SseReply(request, writer, fails_in_stream=self.api.fails_in_stream)
        else:
            reply = JsonReply(request, partial(self._write_error, request[CONTEXT].request_id))
        timers = self.snapshot.pool.timers
        connection = connection_of(request)
        if connection is not None:
            connection.set_deadline(timers.now() + self.deadline_s)
        expiry = timers.call_at(timers.now() + self.deadline_s, reply.expire)
        report = partial(self._report_running, request[CONTEXT].request_id)
        reminder = timers.call_at(timers.now() + REPORT_AFTER_S, report)
        try:
            replay = self.snapshot.runs.find_replay(self.run_key, self.snapshot.pool.clock())
            if replay is not None:
                return await self._repeat(reply, replay)
            return await self._answer(request, reply)
        except ConnectionResetError as lost:  # the server is about to cancel this request: its client has left
            raise asyncio.CancelledError("the client has left") from lost
        finally:
            expiry.cancel()
            reminder.cancel()
            self.record.bytes_out = reply.n_bytes

    async def _answer(self, request: web.Request, reply: JsonReply | SseReply) -> web.StreamResponse:
        replay_s = self.snapshot.settings.server.replay_s
        if replay_s and self.run_key is not None and _find_candidate_reader(reply) is None:
            reply.copy = []
        error = await self._run(reply)
        if error is None:
            response = await reply.end()
            self._keep_replay(reply, replay_s)
            return response
        self.record.outcome, self.record.error = "failed", error.body()["error"]
        if reply.has_status:
            return await reply.fail(error)
        return self.api.respond(error, request[CONTEXT].request_id)

    async def _repeat(self, reply: JsonReply | SseReply, replay: Replay) -> web.StreamResponse:
        """Send a finished reply again, byte for byte."""
        self.record.repeat(replay.record)
        self.record.shared, self.record.shared_with = "replay", replay.record.reply_id
        await self._count_only()
        return await reply.repeat(replay.body)

    def _keep_replay(self, reply: JsonReply | SseReply, seconds: float) -> None:
        if reply.copy is None or self.run_key is None:
            return
        now = self.snapshot.pool.clock()
        replay = Replay(b"".join(reply.copy), self.record.without_calls(), now + seconds)
        self.snapshot.runs.keep_replay(self.run_key, replay, now)

    def _report_running(self, request_id: str) -> None:
        """Log once that the request still runs, and the models that it waits for."""
        record, now = self.record, self.snapshot.pool.clock()
        waits = {call.name: _describe_running(call, now) for call in record.ledger.calls if call.ended is None}
        _log.info(
            "request still running",
            request_id=request_id,
            seconds=round(now - record.started, 1),
            mixture=record.mixture,
            panel=record.panel or None,
            waits_for=waits,
        )

    def _write_error(self, request_id: str, error: ApiError) -> bytes:
        body = self.api.respond(error, request_id).body
        return body if isinstance(body, bytes) else b""

    async def _run(self, reply: JsonReply | SseReply) -> ApiError | None:
        """Produce the answer, kept alive by heartbeats, and return the error to send in its place, if any.

        An unexpected exception is left to the middleware while the reply still has no status. ConnectionResetError
        means that the client has left; one from an upstream would be a CallError.
        """
        try:
            await self._produce(reply)
        except SynthesisError as error:
            is_lone = self.target.mixture is None and self.api.name == "chat"
            return errors.from_synthesis(error, keeps_status=is_lone)
        except ApiError as error:
            return error
        except ConnectionResetError:
            raise
        except Exception:
            if not reply.committed:
                raise
            _log.exception("unexpected error", api=self.api.name)
            return errors.unexpected()
        return None

    async def _produce(self, reply: JsonReply | SseReply) -> None:
        server = self.snapshot.settings.server
        silence_s = server.json_heartbeat_s
        pulse = self.api.pulse(server) if self.target.chat.stream else Pulse(silence_s, silence_s)
        heartbeat = Heartbeat(pulse, reply, self.snapshot.pool.timers)
        try:
            with self.shutdown.bounded():
                await (self._stream(reply) if isinstance(reply, SseReply) else self._fill(reply))
        finally:
            await heartbeat.end()

    async def _fill(self, reply: JsonReply) -> None:
        readers = [*self._readers(), self.work.read] if self.work.is_shown else self._readers()

        def serialize(event: Event) -> bytes:
            for read in readers:
                read(event)
            return b""

        finished, usage = await self._follow(serialize)
        reply.body = self.parsed.build_body(self.envelope, finished, usage, self.work)

    async def _stream(self, reply: SseReply) -> None:
        writer, record = reply.writer, self.record
        readers = self._readers()

        def serialize(event: Event) -> bytes:
            for read in readers:
                read(event)
            data = writer.read(event)
            if data and record.first_chunk_s is None:
                data = writer.opening() + data
                record.first_chunk_s = self.snapshot.pool.clock() - record.started
            return data

        _, usage = await self._follow(serialize, reply.write, _find_candidate_reader(reply))
        reply.last = writer.end(usage)

    async def _follow(
        self,
        serialize: Callable[[Event], bytes],
        write: Callable[[bytes], Awaitable[None]] | None = None,
        candidate_reader: CandidateReader | None = None,
    ) -> tuple[Finished, dict[str, Any]]:
        """Join the run of an identical request, or begin one; return its end, and the usage of the reply.

        `write` gets the serialized events. A client that sees candidates while they are written shares its run with no
        other: their texts are not among the events.
        """
        runs = self.snapshot.runs
        key = self.run_key if candidate_reader is None else None
        run = runs.find(key)
        if run is None:
            run = runs.create(key)
            learner = _begin_learning(self.snapshot, self.target, self.api, self.record.client)
            answer = partial(self._ask_models, run.ledger, candidate_reader, learner)
            run.start(answer, None if learner is None else learner.read)
        subscription = run.subscribe(self.record, serialize)
        try:
            if self.record.shared is not None:
                await self._count_only()
            while (data := await subscription.next()) is not None:
                if write is not None:
                    await write(data)
            return self._finish(run)
        finally:
            await run.leave(subscription)

    async def _count_only(self) -> None:
        """Count a request that costs nothing in the rate of its key. Raises ApiError (429) if it may not begin."""
        async with self.charge((), bill=self._make_bill(Ledger()), lifetime_s=self.deadline_s):
            pass

    def _make_bill(self, ledger: Ledger) -> Bill:
        """Return the bill of a run, which is its own: the request that began the run may leave it."""
        record = self.record
        return Bill(ledger, record.expected, record.client or "", record.mixture or "")

    async def _ask_models(
        self, ledger: Ledger, candidate_reader: CandidateReader | None, learner: Learner | None, emit: Emit
    ) -> Finished:
        """Run the request, and charge it to its budgets: ApiError (429) if they do not allow it."""
        snapshot, target = self.snapshot, self.target
        started = snapshot.pool.clock()
        run = Run(
            target.chat,
            target.contract,
            snapshot.models,
            snapshot.pool,
            ledger,
            emit,
            started,
            started + self.deadline_s,
            evidence=snapshot.evidence,
            incremental=target.chat.stream,
            on_candidate_text=candidate_reader.read_candidate_text if candidate_reader else None,
            shows_reasoning=target.mixture is None or target.mixture.show_reasoning,
            arrange=None if learner is None else learner.arrange,
        )
        try:
            async with self.charge(self.budgets, bill=self._make_bill(ledger), lifetime_s=self.deadline_s):
                return await mixtures.answer(run, target.mixture or target.name)
        finally:  # a request that fails still has news of earlier answers
            if learner is not None and snapshot.feedback is not None:
                snapshot.feedback.finish(learner, self.record.reply_id)

    @property
    def deadline_s(self) -> float:
        """The seconds that the request may take."""
        return (self.target.mixture or self.snapshot.settings.mixtures[0]).deadline_s

    def _readers(self) -> list[Callable[[Event], object]]:
        readers: list[Callable[[Event], object]] = [self.record.read]
        if self.trace is not None:
            readers.append(self.trace.read)
        if self.report is not None:
            readers.append(self.report.read)
        return readers

    def _finish(self, run: SharedRun) -> tuple[Finished, dict[str, Any]]:
        """Return the end of a run and the usage of its reply, and add the report if one is asked for; or raise."""
        finished = run.result()
        if self.report is not None:
            self.work.report = self.report.build(finished, self.record)
        usage = build_usage(finished, run.ledger, self.target.chat, self.snapshot.settings.server)
        if self.record.shared is not None:
            usage["mom"]["shared"] = self.record.shared
        return finished, usage
