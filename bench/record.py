"""Results as files: JSON and a chart of each run, and the kept ones that it is compared with."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import report
from bench.chart import svg
from bench.outcome import Outcome, as_json, from_json
from bench.scripts import TIMES_FASTER

KEPT = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Record:
    """Where a run is written, and under which conditions it was made."""

    folder: Path
    short: bool
    loop: str
    n_rounds: int

    def compared(self, outcomes: Sequence[Outcome]) -> list[str]:
        """Return how the run compares with the last one that was kept."""
        kept = sorted(KEPT.glob("*.json"))
        if not kept:
            return ["No earlier result is kept to compare with."]
        stored = json.loads(kept[-1].read_text(encoding="utf-8"))
        return report.changes(outcomes, from_json(stored["scenarios"]), kept[-1].stem)

    def write(self, outcomes: Sequence[Outcome], *, keep: str | None) -> list[Path]:
        """Write JSON and chart, among the kept ones as well where `keep` gives a name; return where."""
        places = [(self.folder, "latest"), *([(KEPT, keep)] if keep else [])]
        taken = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        result = {"taken": taken, **self._conditions(), "scenarios": as_json(outcomes)}
        paths: list[Path] = []
        for folder, name in places:
            folder.mkdir(parents=True, exist_ok=True)
            written = folder / f"{name}.json", folder / f"{name}.svg"
            written[0].write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            written[1].write_text(svg("The gateway against a bare handler", outcomes), encoding="utf-8")
            paths += written
        return paths

    def _conditions(self) -> dict[str, object]:
        return {
            "python": platform.python_version(),
            "aiohttp": version("aiohttp"),
            "loop": self.loop,
            "cores": os.cpu_count(),
            "load_of_the_last_5_minutes": round(os.getloadavg()[1], 1),
            "rounds": self.n_rounds,
            "short": self.short,
            "times_faster_than_life": TIMES_FASTER,
        }
