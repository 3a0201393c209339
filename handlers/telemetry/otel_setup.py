"""Set up the export of spans to an OpenTelemetry collector while the application runs."""

import asyncio
from collections.abc import AsyncGenerator

from aiohttp import web

from config.extras import format_install_command
from handlers.errors import StartError
from handlers.telemetry.spans import SPANS


async def set_up_otel(app: web.Application) -> AsyncGenerator[None]:
    """Set the application's SPANS, and flush them at its clean-up. Raises StartError if the packages are missing."""
    try:
        from handlers.telemetry.otel import SpanSink  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        raise StartError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is not installed: "
            f"run {format_install_command('otel')}, or unset the variable"
        ) from error
    app[SPANS] = sink = await asyncio.to_thread(SpanSink)
    yield
    await asyncio.to_thread(sink.close)
