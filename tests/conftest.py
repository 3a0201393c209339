"""What every test may ask for."""

from collections.abc import AsyncGenerator

import pytest

from tests.fakes import FakeUpstream


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake
