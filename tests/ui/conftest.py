"""A browser, and a gateway with something to show."""

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from tests.ui.scene import Scene, scene

ABORTED = "net::ERR_ABORTED"  # by a page that is left, or that turns out to be a download
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def program() -> str:
    """Return where the browser is: $CHROMIUM, or what the system has; none skips the test, under `make ui` fails it."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        reason = "there is no Chromium here; install Debian's package `chromium`, or name one by CHROMIUM"
        if "BROWSER_REQUIRED" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def flags() -> list[str]:
    """Return what Chromium wants in addition where it is run by root, in a container say."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


@pytest.fixture
async def browser() -> AsyncGenerator[Browser]:
    path = program()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=flags())
        yield launched
        await launched.close()


@pytest.fixture
async def used() -> AsyncGenerator[Scene]:
    async with scene() as it:
        yield it


def listen(page: Page, complaints: list[str]) -> None:
    """Collect what goes wrong on a page: messages in its console, errors, what could not be loaded."""

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def failed(request: Request) -> None:
        if request.failure != ABORTED:
            complaints.append(f"not loaded: {request.url}: {request.failure}")

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", failed)


Open = Callable[..., Awaitable[Page]]


@pytest.fixture
async def opened(browser: Browser) -> AsyncGenerator[Open]:
    """Give what opens an address in a context of its own; afterwards none of the pages may have had a complaint."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_page(address: str, **options: Any) -> Page:
            context = await stack.enter_async_context(
                await browser.new_context(viewport={"width": 1280, "height": 900}, **options)
            )
            page = await context.new_page()
            listen(page, complaints)
            await page.goto(address)
            return page

        yield open_page
    assert complaints == []
