"""The command `usage`."""

import asyncio
import csv
import io
import json
import time
from decimal import Decimal
from pathlib import Path

import pytest

from gateway import main
from handlers.terminal.usage import format_usage
from store.sqlite_store import SqliteStore
from store.store import Batch, Usage, UsageKey, to_units

TODAY = int(time.time() // 86_400)
USAGE = {
    UsageKey(TODAY, "ci", "mom", ""): Usage(2),
    UsageKey(TODAY, "ci", "mom", "a"): Usage(2, 1000, 20, 500, to_units(Decimal("0.5"))),
    UsageKey(TODAY - 5, "", "", ""): Usage(1),
    UsageKey(TODAY - 5, "", "", "a"): Usage(1, 100, 2),
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a configuration whose store has some usage."""
    monkeypatch.setenv("MOM_STATE_DIR", str(tmp_path))
    path = tmp_path / "config.yaml"
    path.write_text("models: [{name: a, base_url: 'http://h', price: {input: 1, output: 1}}]")

    async def fill() -> None:
        store = SqliteStore(tmp_path / "state.db")
        await store.open()
        await store.record(Batch("w", 1, TODAY, time.time(), {}, usage=USAGE))
        await store.close()

    asyncio.run(fill())
    return str(path)


def test_usage_is_printed_as_tables(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One for each of day, client, mixture and model; a bar shows the days."""
    assert main(["usage", "--config", config]) == 0
    by_day, by_client, by_mixture, by_model = capsys.readouterr().out.strip("\n").split("\n\n")
    assert [line.count("█") for line in by_day.splitlines()] == [0, 2, 24]
    assert by_day.splitlines()[2].split()[1:6] == ["2", "1,000", "500", "20", "0.50"]
    assert "(none)" in by_client
    assert "mom" in by_mixture
    assert by_model.splitlines()[1].split()[:3] == ["a", "3", "1,100"]


def test_usage_is_written_as_csv_and_json(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the days that are asked for."""
    assert main(["usage", "--config", config, "--days", "1", "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["client"], row["model"], row["cost"]) == ("ci", "a", "0.5")
    assert main(["usage", "--config", config, "--format", "json"]) == 0
    assert [each["requests"] for each in json.loads(capsys.readouterr().out)] == [1, 2]


def test_no_usage_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command only reads."""
    monkeypatch.setenv("MOM_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "config.yaml").write_text("models: [{name: a, base_url: 'http://h'}]")
    assert main(["usage", "--config", str(tmp_path / "config.yaml")]) == 0
    assert capsys.readouterr().out == "No usage is recorded for these days.\n"
    assert not (tmp_path / "state").exists()


def test_a_store_that_cannot_be_read(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the store and the cause."""
    (tmp_path / "state.db").write_bytes(b"damaged" * 1000)
    assert main(["usage", "--config", config]) == 1
    assert "the usage cannot be read: sqlite:" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["0", "401", "x"])
def test_a_number_of_days_that_makes_no_sense(config: str, days: str) -> None:
    """The shell sees status 2."""
    with pytest.raises(SystemExit, match="2"):
        main(["usage", "--config", config, "--days", days])


def test_colours_are_for_terminals() -> None:
    """Headings and bars."""
    assert "\033[32m█" in "\n".join(format_usage(USAGE, (), "USD", colours=True))
