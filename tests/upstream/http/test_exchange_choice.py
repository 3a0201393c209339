"""The choice between the two HTTP exchanges."""

import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from upstream.http.direct_exchange import DirectExchange
from upstream.http.exchange_choice import TESTED_AIOHTTP, choose_exchange
from upstream.http.session_exchange import SessionExchange


def test_the_pinned_aiohttp_is_a_tested_one() -> None:
    """If the pin is raised, the tests are run with it and it is added to the list."""
    requirements = Path(__file__).parents[3].joinpath("requirements.txt").read_text(encoding="utf-8")
    assert re.findall(r"^aiohttp==(.+)$", requirements, re.MULTILINE)[0] in TESTED_AIOHTTP


def test_a_tested_version_is_used_directly() -> None:
    """Without a log line."""
    with capture_logs() as logs:
        assert all(choose_exchange(version=version) is DirectExchange for version in TESTED_AIOHTTP)
    assert logs == []


def test_an_untested_version_is_used_by_its_public_api() -> None:
    """The log says so."""
    with capture_logs() as logs:
        assert choose_exchange(version="99.0.0") is SessionExchange
    assert [(entry["log_level"], entry["version"]) for entry in logs] == [("info", "99.0.0")]


@pytest.mark.parametrize(("wanted", "chosen"), [("direct", DirectExchange), ("session", SessionExchange)])
def test_a_wanted_exchange_is_used_with_any_version(wanted: str, chosen: type) -> None:
    """For comparing them, and for a version that was tested elsewhere."""
    assert choose_exchange(wanted, version="99.0.0") is chosen


def test_an_unknown_exchange_is_refused() -> None:
    """The message names the known ones."""
    with pytest.raises(ValueError, match="choose one of direct, session"):
        choose_exchange("fast")
