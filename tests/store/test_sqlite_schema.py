"""Versions of the SQLite file."""

import sqlite3
from pathlib import Path

import pytest

from store import sqlite_schema
from store.sqlite_schema import VERSION, migrate


def test_an_older_file_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, and its content stays."""
    db = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    migrate(db)
    db.execute("INSERT INTO spent VALUES ('', 1, 2)")
    steps = (*sqlite_schema._STEPS, "ALTER TABLE spent ADD COLUMN calls INTEGER NOT NULL DEFAULT 7;")
    monkeypatch.setattr(sqlite_schema, "_STEPS", steps)
    monkeypatch.setattr(sqlite_schema, "VERSION", VERSION + 1)
    migrate(db)
    assert db.execute("SELECT * FROM spent").fetchall() == [("", 1, 2, 7)]
    assert db.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)
    db.close()


def test_a_step_that_fails_leaves_the_file_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a step would be worse than none."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    monkeypatch.setattr(sqlite_schema, "_STEPS", ("CREATE TABLE a (b); CREATE TABLE a (b);",))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(db)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == []
    db.close()


def test_a_newer_file_is_refused() -> None:
    """A gateway that was rolled back must not write what it does not understand."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(sqlite3.DatabaseError, match="newer version of the gateway"):
        migrate(db)
    db.close()
