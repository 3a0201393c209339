"""The gateway that every client of this folder talks to."""

from collections.abc import AsyncGenerator, Iterator

import pytest

from tests.clients.driving import AIDER
from tests.clients.stage import Stage, configured
from tests.fakes import FakeUpstream
from tests.running import running


@pytest.fixture(scope="session", autouse=True)
def _aider_ends() -> Iterator[None]:
    yield
    AIDER.close()


@pytest.fixture
async def stage(upstream: FakeUpstream) -> AsyncGenerator[Stage]:
    async with running(configured(upstream)) as gateway:
        yield Stage(f"{gateway.url}/v1", upstream)
