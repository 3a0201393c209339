"""The sandbox of most tests of evidence."""

from collections.abc import AsyncGenerator

import pytest

from runtime.sandbox.monty import MontySandbox


@pytest.fixture
async def monty() -> AsyncGenerator[MontySandbox]:
    sandbox = MontySandbox(wait_s=60)
    yield sandbox
    await sandbox.close()
