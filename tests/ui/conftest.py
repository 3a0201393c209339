"""A browser, and a gateway with something to show."""

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

from tests.ui.scene import Scene, scene

ABORTED = "net::ERR_ABORTED"  # by a page that is left, or that turns out to be a download
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

expect.set_options(timeout=30_000)  # far more than any of this takes: a busy machine is no fault of a page


def program() -> str:
    """Return the path of the browser: $CHROMIUM, or the system's. Without one the test is skipped; `make ui` fails."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        reason = "no Chromium found; install the Debian package `chromium`, or set CHROMIUM to a path"
        if "BROWSER_REQUIRED" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def flags() -> list[str]:
    """Return the extra flags that Chromium needs if it runs as root, as in a container."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncGenerator[Browser]:
    """Start the browser, once for all tests of a module: their event loop is the module's too."""
    path = program()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=flags())
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(chromium: Browser) -> AsyncGenerator[Browser]:
    """Return a browser that has no page, no cookie and no storage."""
    yield chromium
    for context in chromium.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def used() -> AsyncGenerator[Scene]:
    async with scene() as it:
        yield it


def listen(page: Page, complaints: list[str]) -> None:
    """Collect the problems of a page: console messages, script errors, failed loads."""

    def collect(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def failed(request: Request) -> None:
        if request.failure != ABORTED:
            complaints.append(f"not loaded: {request.url}: {request.failure}")

    page.on("console", collect)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", failed)


Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="module")
async def opened(browser: Browser) -> AsyncGenerator[Open]:
    """Return a function that opens an address in a new context; at the end no page may have reported a problem."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_page(address: str, **options: Any) -> Page:
            context = await stack.enter_async_context(
                await browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            )
            page = await context.new_page()
            listen(page, complaints)
            await page.goto(address)
            return page

        yield open_page
    assert complaints == []
