"""The version of the gateway."""

import re

from config.version import VERSION


def test_the_version_is_semantic() -> None:
    """Three numbers, perhaps with a pre-release (SemVer 2.0.0)."""
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", VERSION)
