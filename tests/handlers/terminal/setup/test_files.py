"""Files are written whole, with the right permissions from the beginning."""

import os
import stat
from pathlib import Path

import pytest

from handlers.terminal.setup.files import replace_file


def test_permissions_do_not_depend_on_the_umask_or_the_former_file(tmp_path: Path) -> None:
    """A world-readable earlier file is replaced by one that only its owner can read."""
    path = tmp_path / "deep" / ".env"
    for umask in (0o000, 0o277):
        former = os.umask(umask)
        try:
            replace_file(path, f"A={umask}", mode=0o600)
        finally:
            os.umask(former)
        assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (f"A={umask}", 0o600)
        path.chmod(0o644)


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A configuration kept elsewhere stays there."""
    kept = tmp_path / "kept.yaml"
    kept.write_text("old")
    link = tmp_path / "config.yaml"
    link.symlink_to(kept)
    replace_file(link, "new", mode=0o644)
    assert link.is_symlink()
    assert kept.read_text() == "new"


def test_a_failure_leaves_the_former_file(tmp_path: Path) -> None:
    """No temporary file stays beside it."""
    path = tmp_path / "config.yaml"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "new \ud800", mode=0o644)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("config.yaml", "old")]
