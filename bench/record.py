"""Results as files: JSON and a chart of each run, and the comparison with the last kept run."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import report
from bench.chart import draw_chart
from bench.outcome import Outcome, from_json, to_json
from bench.scripts import TIMES_FASTER

KEPT = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Record:
    """Writes the result of a run, with the conditions under which it was made."""

    folder: Path
    short: bool
    loop: str
    n_rounds: int

    def compare(self, outcomes: Sequence[Outcome]) -> list[str]:
        """Return the comparison with the last kept run, as lines."""
        kept = sorted(KEPT.glob("*.json"))
        if not kept:
            return ["No earlier result is kept to compare with."]
        stored = json.loads(kept[-1].read_text(encoding="utf-8"))
        return report.list_worse(outcomes, from_json(stored["scenarios"]), kept[-1].stem)

    def write(self, outcomes: Sequence[Outcome], *, keep: str | None) -> list[Path]:
        """Write JSON and chart, also under bench/results/ if `keep` gives a name; return the paths."""
        places = [(self.folder, "latest"), *([(KEPT, keep)] if keep else [])]
        taken = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        result = {"taken": taken, **self._conditions(), "scenarios": to_json(outcomes)}
        paths: list[Path] = []
        for folder, name in places:
            folder.mkdir(parents=True, exist_ok=True)
            written = folder / f"{name}.json", folder / f"{name}.svg"
            written[0].write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            written[1].write_text(draw_chart("The gateway against a bare handler", outcomes), encoding="utf-8")
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
