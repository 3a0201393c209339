"""The sandboxes of this machine, for tests that must pass in each of them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from runtime.sandbox import forks, monty
from runtime.sandbox.forks import ForkSandbox
from runtime.sandbox.monty import MontySandbox
from runtime.sandbox.namespaces import Isolation, isolation
from runtime.sandbox.trials import Limits, Report, Sandbox, Session, Trial

BOXES: dict[str, Callable[[], Sandbox]] = {monty.NAME: MontySandbox, forks.NAME: ForkSandbox}

each_box = pytest.mark.parametrize(
    "box",
    [
        monty.NAME,
        pytest.param(
            forks.NAME,
            marks=pytest.mark.skipif(isolation() is not Isolation.NAMESPACES, reason="needs Linux's namespaces"),
        ),
    ],
)

PATIENT = Limits(step_s=10.0, trial_s=60.0)
"""For code that ends by itself: a busy machine must not make a timeout of it."""


@asynccontextmanager
async def opened(box: str) -> AsyncGenerator[Session]:
    """Open a session of the sandbox of this name, and close both."""
    sandbox = BOXES[box]()
    try:
        async with sandbox.session() as session:
            yield session
    finally:
        await sandbox.close()


async def observe(box: str, trial: Trial, limits: Limits = PATIENT) -> Report:
    """Return the observations of a trial in a sandbox of its own."""
    async with opened(box) as session:
        return await session.observe(trial, limits)
