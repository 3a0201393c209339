"""Answer one request of any client API: find the mixture or model, run it, and write the reply."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from handlers import errors
from handlers.api.client_api import CandidateReader, ClientApi, Envelope, ParsedRequest, Pulse
from handlers.api.intake.body import LARGE_BYTES, decode_body
from handlers.api.intake.limits import check_shape
from handlers.api.intake.target import check_tools, find_target
from handlers.api.reply.reply_writer import Heartbeat, JsonReply, SseReply
from handlers.api.reply.run_report import RunReport
from handlers.api.reply.shown_work import ShownWork
from handlers.api.reply.usage import build_usage
from handlers.api.runs.job import Job, make_job
from handlers.api.runs.shared_runs import Replay, RunKey, SharedRun, identify_request
from handlers.context import CONTEXT, RequestContext
from handlers.errors import ApiError
from handlers.gate.spending import SPENDING
from handlers.lifecycle.connections import connection_of
from handlers.lifecycle.shutdown import SHUTDOWN
from handlers.traces.collector import TraceCollector
from handlers.traces.store import TraceStore
from runtime.frozen import frozen
from runtime.time_slice import TimeSlice
from synth.events import Event, Finished, SynthesisError
from synth.request import ChatRequest
from upstream.calls import Attempt, Call
from upstream.openai.conversation import Conversation

_log = structlog.get_logger(__name__)

REPORT_AFTER_S = 10.0
NO_MEDIA_TYPE = "application/octet-stream"
"""The media type of a body without a Content-Type (RFC 9110, section 8.3), if its API needs one."""

_MAX_NAME_CHARS = 128  # the longest name that config.yaml allows


def answering(api: ClientApi) -> Handler:
    """Return the handler of an API's endpoint: it answers by a mixture, or by a single configured model."""

    async def handle(request: web.Request) -> web.StreamResponse:
        context = request[CONTEXT]
        snapshot, record = context.snapshot, context.record
        body, context.body = context.body, b""  # not kept while the models answer
        record.api = api.name
        if snapshot.traces is not None:
            context.trace = _begin_trace(request, context, snapshot.traces, body)
        run_key = None
        if snapshot.settings.server.share_runs:
            run_key = await identify_request(api.name, record.client, request.headers.get("x-mom-mode"), body)
        time_slice = TimeSlice(snapshot.pool.timers.now)
        is_large = len(body) > LARGE_BYTES
        media_type = request.headers.get("Content-Type") or (NO_MEDIA_TYPE if api.needs_media_type else None)
        fields = await decode_body(body, media_type, time_slice, snapshot.workers)
        del body  # the models may take minutes
        parsed = api.parse(fields)
        del fields
        await time_slice.give_way()
        if context.trace is not None:
            context.trace.request = parsed.chat
        try:
            check_shape(parsed.chat, snapshot.settings.server)
            await time_slice.give_way()
            target = find_target(parsed.chat, snapshot, context.key, request.headers)
            if is_large:
                await _prepare_to_encode(parsed.chat, time_slice)
            await check_tools(target, time_slice)
            job = make_job(context, api.name, target, request.app[SPENDING])
        except ApiError as error:
            if not (api.fails_in_stream and parsed.chat.stream):
                raise
            return await _fail_in_stream(request, parsed, error)
        asked_name = parsed.chat.model or target.name  # an alias comes back as the client wrote it
        record.alias = asked_name[:_MAX_NAME_CHARS] if asked_name != target.name else None
        envelope = Envelope(record.reply_id, int(snapshot.unix_time()), asked_name)
        show, work = parsed.chat.steering.show, ShownWork(target.mixture)
        report = RunReport(show, target.mixture) if show else None
        await time_slice.give_way()
        return await _Exchange(request, context, api, parsed, job, run_key, envelope, work, report).reply()

    return handle


async def _prepare_to_encode(chat: ChatRequest, time_slice: TimeSlice) -> None:
    """Encode a large conversation in advance, in steps, and mark it so that it is always encoded in steps."""
    conversation = chat.messages
    if isinstance(conversation, Conversation):
        conversation.is_large = True
        await time_slice.run(conversation.encode_in_steps())


async def _fail_in_stream(request: web.Request, parsed: ParsedRequest, error: ApiError) -> web.StreamResponse:
    """Refuse a request by a stream that consists of an error event."""
    context = request[CONTEXT]
    record = context.record
    record.fail(error)
    envelope = Envelope(record.reply_id, int(context.snapshot.unix_time()), parsed.chat.model or "")
    writer = parsed.stream_writer(envelope, ShownWork(None))
    reply = SseReply(request, writer, fails_in_stream=True)
    try:
        return await reply.fail(error)
    finally:
        record.bytes_out = reply.n_bytes


def _begin_trace(request: web.Request, context: RequestContext, traces: TraceStore, body: bytes) -> TraceCollector:
    snapshot = context.snapshot
    trace = TraceCollector(
        context.request_id, request.headers, context.record, snapshot.pool.clock(), snapshot.unix_time()
    )
    trace.body = body
    traces.running.add(trace)
    return trace


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
    return f"{now - call.started:.1f} s{attempt}, {_describe_state(last)}"


def _describe_state(last: Attempt | None) -> str:
    if last is None:
        return "waits for a slot"
    if last.ended is not None and last.pause_s is not None:
        return f"{last.outcome}, waits {last.pause_s:.1f} s to retry"
    return "no reply yet" if last.first_byte is None else "answering"


@frozen
class _Exchange:
    """One request while it is answered, as a stream or as one JSON body."""

    request: web.Request
    context: RequestContext
    api: ClientApi
    parsed: ParsedRequest
    job: Job
    run_key: RunKey | None
    envelope: Envelope
    work: ShownWork
    report: RunReport | None

    async def reply(self) -> web.StreamResponse:
        """Reply with server-sent events or one JSON body, as the client asked."""
        request, context, target = self.request, self.context, self.job.target
        reply: JsonReply | SseReply
        if target.chat.stream:
            writer = self.parsed.stream_writer(self.envelope, self.work)
            reply = SseReply(request, writer, fails_in_stream=self.api.fails_in_stream)
        else:
            reply = JsonReply(request, self._write_error)
        pool, runs = context.snapshot.pool, context.snapshot.runs
        now = pool.timers.now()
        connection = connection_of(request)
        if connection is not None:
            connection.set_deadline(now + target.deadline_s)
        expiry = pool.timers.call_at(now + target.deadline_s, reply.expire)
        reminder = pool.timers.call_at(now + REPORT_AFTER_S, self._report_running)
        try:
            replay = runs.find_replay(self.run_key, pool.clock())
            return await (self._answer(reply) if replay is None else self._repeat(reply, replay))
        except ConnectionResetError as lost:  # the server is about to cancel this request: its client has left
            raise asyncio.CancelledError("the client has left") from lost
        finally:
            expiry.cancel()
            reminder.cancel()
            context.record.bytes_out = reply.n_bytes

    async def _answer(self, reply: JsonReply | SseReply) -> web.StreamResponse:
        replay_s = self.context.snapshot.settings.server.replay_s
        if replay_s and self.run_key is not None and _find_candidate_reader(reply) is None:
            reply.copy = []
        error = await self._produce(reply)
        if error is None:
            response = await reply.end()
            self._keep_replay(reply, replay_s)
            return response
        self.context.record.fail(error)
        if reply.has_status:
            return await reply.fail(error)
        return self.api.respond(error, self.context.request_id)

    async def _repeat(self, reply: JsonReply | SseReply, replay: Replay) -> web.StreamResponse:
        """Send a finished reply again, byte for byte."""
        record = self.context.record
        record.repeat(replay.record)
        record.shared, record.shared_with = "replay", replay.record.reply_id
        await self.job.count()
        return await reply.repeat(replay.body)

    def _keep_replay(self, reply: JsonReply | SseReply, seconds: float) -> None:
        if reply.copy is None or self.run_key is None:
            return
        snapshot = self.context.snapshot
        now = snapshot.pool.clock()
        replay = Replay(b"".join(reply.copy), self.context.record.without_calls(), now + seconds)
        snapshot.runs.keep_replay(self.run_key, replay, now)

    def _report_running(self) -> None:
        """Log once that the request still runs, and the models that it waits for."""
        record, now = self.context.record, self.context.snapshot.pool.clock()
        waits = {call.name: _describe_running(call, now) for call in record.ledger.calls if call.ended is None}
        _log.info(
            "request still running",
            request_id=self.context.request_id,
            seconds=round(now - record.started, 1),
            mixture=record.mixture,
            panel=record.panel or None,
            waits_for=waits,
        )

    def _write_error(self, error: ApiError) -> bytes:
        body = self.api.respond(error, self.context.request_id).body
        return body if isinstance(body, bytes) else b""

    async def _produce(self, reply: JsonReply | SseReply) -> ApiError | None:
        """Produce the answer, kept alive by heartbeats, and return the error to send in its place, if any.

        An unexpected exception is left to the middleware while the reply still has no status. ConnectionResetError
        means that the client has left; one from an upstream would be a CallError.
        """
        snapshot, target = self.context.snapshot, self.job.target
        silence_s = snapshot.settings.server.json_heartbeat_s
        pulse = self.api.pulse(snapshot.settings.server) if target.chat.stream else Pulse(silence_s, silence_s)
        heartbeat = Heartbeat(pulse, reply, snapshot.pool.timers)
        try:
            with self.request.app[SHUTDOWN].bounded():
                await (self._stream(reply) if isinstance(reply, SseReply) else self._fill(reply))
        except SynthesisError as error:
            return errors.from_synthesis(error, keeps_status=target.mixture is None and self.api.name == "chat")
        except ApiError as error:
            return error
        except ConnectionResetError:
            raise
        except Exception:
            if not reply.committed:
                raise
            _log.exception("unexpected error", api=self.api.name)
            return errors.unexpected()
        finally:
            await heartbeat.end()
        return None

    async def _fill(self, reply: JsonReply) -> None:
        readers = [*self._readers(), self.work.read] if self.work.is_shown else self._readers()

        def serialize(event: Event) -> bytes:
            for read in readers:
                read(event)
            return b""

        finished, usage = await self._follow(serialize)
        reply.body = self.parsed.build_body(self.envelope, finished, usage, self.work)

    async def _stream(self, reply: SseReply) -> None:
        writer, record, clock = reply.writer, self.context.record, self.context.snapshot.pool.clock
        readers = self._readers()

        def serialize(event: Event) -> bytes:
            for read in readers:
                read(event)
            data = writer.read(event)
            if data and record.first_chunk_s is None:
                data = writer.opening() + data
                record.first_chunk_s = clock() - record.started
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
        record, key = self.context.record, self.run_key if candidate_reader is None else None
        run = self.context.snapshot.runs.find(key) or self.job.begin(key, candidate_reader)
        subscription = run.subscribe(record, serialize)
        try:
            if record.shared is not None:
                await self.job.count()
            while (data := await subscription.next()) is not None:
                if write is not None:
                    await write(data)
            return self._finish(run)
        finally:
            await run.leave(subscription)

    def _readers(self) -> list[Callable[[Event], object]]:
        readers: list[Callable[[Event], object]] = [self.context.record.read]
        if self.context.trace is not None:
            readers.append(self.context.trace.read)
        if self.report is not None:
            readers.append(self.report.read)
        return readers

    def _finish(self, run: SharedRun) -> tuple[Finished, dict[str, Any]]:
        """Return the end of a run and the usage of its reply, and add the report if one is asked for; or raise."""
        finished, record = run.result(), self.context.record
        if self.report is not None:
            self.work.report = self.report.build(finished, record)
        usage = build_usage(finished, run.ledger, self.job.target.chat, self.context.snapshot.settings.server)
        if record.shared is not None:
            usage["mom"]["shared"] = record.shared
        return finished, usage
