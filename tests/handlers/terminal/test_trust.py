"""The command `trust`."""

import argparse
import asyncio
import json
from pathlib import Path

import pytest

from handlers.errors import StartError
from handlers.terminal import trust
from handlers.terminal.commands import Invocation
from store.choice import FILE_NAME
from store.sqlite_store import SqliteStore
from store.store import Outcome, Tally
from synth.feedback.trust import HALF_LIFE_S, name_scope
from tests.running import model, settings

SCOPE = name_scope("mom", "edits python chat")
JUDGED = [Outcome("", SCOPE, "right", 30), Outcome("", SCOPE, "picked", 30), Outcome("a=a", SCOPE, "right", 30)]


def invoke(folder: Path, *arguments: str) -> int:
    """Run the command on the store of this folder."""
    parser = argparse.ArgumentParser()
    trust.add_arguments(parser)
    configured = settings([model(name, "http://unused") for name in "ab"])
    environ = {"MOM_STATE_DIR": str(folder)}
    options = parser.parse_args(arguments)
    return trust.run(Invocation(options, folder / "config.yaml", environ, lambda: configured, folder, is_shipped=False))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a state folder in which thirty answers were judged right, all of them a's."""

    async def fill() -> None:
        store = SqliteStore(tmp_path / FILE_NAME)
        await store.open()
        await store.add_outcomes("once", [*JUDGED, Outcome("b=b", SCOPE, "open_right", 30)], 1_000_000.0, HALF_LIFE_S)
        await store.close()

    asyncio.run(fill())
    return tmp_path


def read(folder: Path) -> list[Tally]:
    async def load() -> list[Tally]:
        store = SqliteStore(folder / FILE_NAME)
        await store.open()
        try:
            return list(await store.read_tallies())
        finally:
            await store.close()

    return asyncio.run(load())


def test_every_count_is_exported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every count is a line of JSON, with its current weight."""
    assert invoke(folder, "--export") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (a,) = [row for row in rows if row["member"] == "a"]
    assert (a["mixture"], a["kind"], a["upstream_model"], a["name"]) == ("mom", "edits python chat", "a", "right")
    assert (a["count"], a["at"]) == (1, "1970-01-12T13:46:40+00:00")
    assert 0 <= a["weight"] < 1e-6  # half a century later


def test_a_reset_of_a_model_forgets_only_that_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the counts of the model are forgotten."""
    assert invoke(folder, "--reset", "a") == 0
    assert capsys.readouterr().out == "Forgotten: what was known of 1 member.\n"
    assert {tally.member for tally in read(folder)} == {"", "b=b"}


def test_a_reset_without_a_name_forgets_everything(folder: Path) -> None:
    """Without a name everything is forgotten."""
    assert invoke(folder, "--reset") == 0
    assert read(folder) == []


def test_an_unknown_model_is_refused(folder: Path) -> None:
    """The error names the models that are known, and nothing is forgotten."""
    with pytest.raises(StartError, match=r"nothing is known of a model 'x' \(known: a, b\)"):
        invoke(folder, "--reset", "x")
    assert len(read(folder)) == 4


def test_the_report_is_by_mixture(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recommendation, sentences and kinds of task, by mixture."""
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    assert invoke(folder) == 0
    text = capsys.readouterr().out
    assert text.startswith("mom\n  OPEN: ")
    assert "a was right in 100 % (" in text
    assert "    edits python chat: 100 % (" in text


def test_without_a_verdict_there_is_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a store there is nothing to report, and none is made."""
    assert invoke(tmp_path) == 0
    assert capsys.readouterr().out.startswith("No answer was judged yet.")
    assert list(tmp_path.iterdir()) == []
