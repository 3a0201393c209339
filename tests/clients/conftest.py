"""The gateway that every client of this folder talks to."""

from collections.abc import AsyncGenerator

import pytest

from tests.clients.stage import Stage, configured
from tests.fakes import FakeUpstream
from tests.running import running


@pytest.fixture
async def stage(upstream: FakeUpstream) -> AsyncGenerator[Stage]:
    async with running(configured(upstream)) as gateway:
        yield Stage(f"{gateway.url}/v1", upstream)
