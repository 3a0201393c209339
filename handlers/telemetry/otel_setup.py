"""Spans of requests, handed to a collector for as long as the application runs."""

import asyncio
from collections.abc import AsyncGenerator

from aiohttp import web

from handlers.errors import StartError
from handlers.telemetry.spans import SPANS


async def exporting(app: web.Application) -> AsyncGenerator[None]:
    """Give the application its SPANS, and send the last ones at its clean-up; StartError without the packages."""
    try:
        from handlers.telemetry.otel import SpanSink  # noqa: PLC0415 -- an extra, which nobody else need install or wait for
    except ImportError as error:
        raise StartError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is not installed: "
            "run pip install -r requirements-otel.txt, or unset the variable"
        ) from error
    app[SPANS] = sink = await asyncio.to_thread(SpanSink)
    yield
    await asyncio.to_thread(sink.close)
