"""The page of one request as HTML, rendered here or in a worker process."""

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from handlers.ui.request import request_page
from handlers.ui.request.request_page import render_request
from handlers.ui.request.request_view import build_page
from runtime.workers import WorkerPool

URL = "http://127.0.0.1:8000"


@pytest.fixture
async def workers() -> AsyncGenerator[WorkerPool]:
    pool = WorkerPool()
    yield pool
    await pool.close()


def trace(text: str, **fields: Any) -> str:
    answers = [{"text": text, "author": "a", "decided_by": "first"}]
    candidates = [{"model": "a", "text": "**one**\ntwo"}]
    return json.dumps({"id": "chatcmpl-1", "answers": answers, "candidates": candidates, **fields})


async def test_a_small_trace_is_rendered_here(workers: WorkerPool) -> None:
    """No process is started for it."""
    page = await render_request(trace("**one**"), URL, is_file=False, workers=workers)
    assert b"<strong>one</strong>" in page
    assert workers.n_started == 0


async def test_a_large_trace_is_rendered_in_a_worker(workers: WorkerPool) -> None:
    """With the same result."""
    text = trace("**one**\n" + "x " * 40_000)
    page = await render_request(text, URL, is_file=False, workers=workers)
    assert page == build_page(text, URL, is_file=False)
    assert workers.n_started == 1


async def test_a_trace_that_takes_too_long_is_shown_plain(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every text is there, without Markdown and differences; the log says so."""
    monkeypatch.setattr(request_page, "_TIMEOUT_S", 0.0)
    page = await render_request(trace("**one**\n" + "x " * 40_000), URL, is_file=False, workers=workers)
    assert b"**one**" in page
    assert b"<strong>one</strong>" not in page
    assert "without differences" in capsys.readouterr().out


async def test_an_invalid_trace_is_a_value_error(workers: WorkerPool) -> None:
    """Here and from a worker."""
    for text in ("{}", json.dumps({"id": 3, "long": "x" * 60_000})):
        with pytest.raises(ValueError, match="not a trace"):
            await render_request(text, URL, is_file=False, workers=workers)


def test_a_worker_imports_no_http() -> None:
    """Its start-up would take twice as long, and twice the memory."""
    program = "import handlers.ui.request.request_view, sys; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
