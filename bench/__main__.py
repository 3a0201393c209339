"""`make bench`: measure the gateway against the floor, and list the figures that got worse."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import processes, report
from bench.outcome import Outcome, Round, summarize
from bench.processes import BrokenError
from bench.record import Record
from bench.scenarios import SCENARIOS, Scenario
from bench.stand import Stand, open_stand

_MAX_S = 1200.0
_ROUNDS, _SHORT_ROUNDS, _SHORT_EFFORT = 5, 1, 0.25

_MEMORY = Path("/dev/shm")  # noqa: S108 -- for logs and traces: the speed of a disk depends on earlier deletions
_FOLDER = _MEMORY if _MEMORY.is_dir() else None


async def _measure(stand: Stand, scenario: Scenario, n_rounds: int, effort: float) -> Outcome:
    """Measure a scenario in rounds; the order of the subjects alternates."""
    names = [scenario.baseline, scenario.subject]
    rounds: list[Round] = []
    for number in range(min(n_rounds, scenario.rounds or n_rounds)):
        order = names[:: -1 if number % 2 else 1]
        if scenario.together:
            measured = await asyncio.gather(*(scenario.measure(stand, name, effort) for name in order))
        else:
            measured = [await scenario.measure(stand, name, effort) for name in order]
        rounds.append(dict(zip(order, measured, strict=True)))
    return summarize(scenario, rounds)


def _select_scenarios(options: argparse.Namespace) -> list[Scenario]:
    if options.only:
        return [scenario for scenario in SCENARIOS if scenario.name in options.only]
    by_default = [scenario for scenario in SCENARIOS if not scenario.on_request]
    return [scenario for scenario in by_default if scenario.short or not options.short]


async def _run(options: argparse.Namespace) -> int:
    processes.raise_descriptor_limit()
    n_rounds = options.rounds or (_SHORT_ROUNDS if options.short else _ROUNDS)
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
        async with open_stand(Path(folder), options.tree, options.loop) as stand:
            for scenario in _select_scenarios(options):
                began = time.monotonic()
                found.append(await _measure(stand, scenario, n_rounds, _SHORT_EFFORT if options.short else 1.0))
                print("\n".join(report.format_outcome(found[-1], time.monotonic() - began)), flush=True)
    record = Record(options.out, short=options.short, loop=options.loop, n_rounds=n_rounds)
    print("\n".join(record.compare(found)))
    for path in record.write(found, keep=options.keep):
        print(f"Written: {path}")
    broken = report.list_absurd(found)
    print("\n".join(broken), file=sys.stderr)
    return 1 if broken else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 1 if a subject is broken or a figure absurd."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run_bounded(options))
    except* (BrokenError, TimeoutError) as group:
        print("Broken:", *_leaves(group), *getattr(group, "__notes__", ()), sep="\n", file=sys.stderr)
    return 1


async def _run_bounded(options: argparse.Namespace) -> int:
    async with asyncio.timeout(_MAX_S):
        return await _run(options)


def _leaves(error: BaseException) -> list[str]:
    """Return the messages of all nested errors, each once: many connections fail alike."""
    if not isinstance(error, BaseExceptionGroup):
        return [f"{type(error).__name__}: {error}"]
    return list(dict.fromkeys(line for each in error.exceptions for line in _leaves(each)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description="Measure the gateway against a bare handler")
    parser.add_argument("--short", action="store_true", help="in less than a minute; detects breakage")
    parser.add_argument(
        "--only", nargs="+", choices=[scenario.name for scenario in SCENARIOS], metavar="NAME", help="these scenarios"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default: {_ROUNDS}, or {_SHORT_ROUNDS} in short")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio", help="the subjects' event loop")
    parser.add_argument("--tree", type=Path, default=processes.ROOT, metavar="DIR", help="where gateway.py is")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), metavar="DIR", help="JSON and chart")
    parser.add_argument("--keep", metavar="NAME", help="also keep the result in bench/results/, under this name")
    return parser


if __name__ == "__main__":
    sys.exit(main())
