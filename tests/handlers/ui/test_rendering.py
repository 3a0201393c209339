"""Replies with pages."""

import threading

from handlers.ui.rendering import respond, respond_html, run_in_thread

VIEW = {"heading": "No", "message": "No.", "request_id": "req-1", "has_pages": False}


async def test_slow_work_runs_in_one_thread_of_its_own() -> None:
    """So neither the event loop nor a second thread competes with it."""
    names = {await run_in_thread(lambda: threading.current_thread().name) for _ in range(3)}
    assert len(names) == 1
    assert names != {threading.current_thread().name}


async def test_a_page_has_its_status_and_the_security_headers() -> None:
    """And those of the handler."""
    missing = await respond("error.html", lambda: VIEW, status=404, headers={"ETag": '"x"'})
    assert (missing.status, missing.content_type, missing.charset) == (404, "text/html", "utf-8")
    assert missing.headers["ETag"] == '"x"'
    assert "default-src 'none'" in respond_html(b"page").headers["Content-Security-Policy"]
