"""`make bench`: measure the gateway against the floor, and say what got worse."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import processes, report
from bench.outcome import Outcome, Round, outcome
from bench.processes import BrokenError
from bench.record import Record
from bench.scenarios import SCENARIOS, Scenario
from bench.stand import Stand, standing

_MAX_S = 1200.0
_ROUNDS, _SHORT_ROUNDS, _SHORT_EFFORT = 5, 1, 0.25

_MEMORY = Path("/dev/shm")  # noqa: S108 -- for logs and traces: a disk is slower after what was deleted before
_FOLDER = _MEMORY if _MEMORY.is_dir() else None


async def _measured(stand: Stand, scenario: Scenario, n_rounds: int, effort: float) -> Outcome:
    """Measure a scenario in rounds, in each of which the subjects take turns in another order."""
    names = [scenario.baseline, scenario.subject]
    rounds: list[Round] = []
    for number in range(min(n_rounds, scenario.rounds or n_rounds)):
        order = names[:: -1 if number % 2 else 1]
        if scenario.together:
            measured = await asyncio.gather(*(scenario.measure(stand, name, effort) for name in order))
        else:
            measured = [await scenario.measure(stand, name, effort) for name in order]
        rounds.append(dict(zip(order, measured, strict=True)))
    return outcome(scenario, rounds)


def _chosen(options: argparse.Namespace) -> list[Scenario]:
    if options.only:
        return [scenario for scenario in SCENARIOS if scenario.name in options.only]
    by_default = [scenario for scenario in SCENARIOS if not scenario.asked_for]
    return [scenario for scenario in by_default if scenario.short or not options.short]


async def _run(options: argparse.Namespace) -> int:
    processes.raise_descriptor_limit()
    n_rounds = options.rounds or (_SHORT_ROUNDS if options.short else _ROUNDS)
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
        async with standing(Path(folder), options.tree, options.loop) as stand:
            for scenario in _chosen(options):
                began = time.monotonic()
                found.append(await _measured(stand, scenario, n_rounds, _SHORT_EFFORT if options.short else 1.0))
                print("\n".join(report.lines(found[-1], time.monotonic() - began)), flush=True)
    record = Record(options.out, short=options.short, loop=options.loop, n_rounds=n_rounds)
    print("\n".join(record.compared(found)))
    for path in record.write(found, keep=options.keep):
        print(f"Written: {path}")
    broken = report.absurd(found)
    print("\n".join(broken), file=sys.stderr)
    return 1 if broken else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 1 where something is broken, or absurdly far from its target."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_bounded(options))
    except* (BrokenError, TimeoutError) as group:
        print("Broken:", *_leaves(group), *getattr(group, "__notes__", ()), sep="\n", file=sys.stderr)
    return 1


async def _bounded(options: argparse.Namespace) -> int:
    async with asyncio.timeout(_MAX_S):
        return await _run(options)


def _leaves(error: BaseException) -> list[str]:
    """Return what went wrong, each once: many connections tell the same."""
    if not isinstance(error, BaseExceptionGroup):
        return [f"{type(error).__name__}: {error}"]
    return list(dict.fromkeys(line for each in error.exceptions for line in _leaves(each)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description="Measure the gateway against a bare handler")
    parser.add_argument("--short", action="store_true", help="in less than a minute, for noticing what is broken")
    parser.add_argument(
        "--only", nargs="+", choices=[scenario.name for scenario in SCENARIOS], metavar="NAME", help="these scenarios"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default: {_ROUNDS}, or {_SHORT_ROUNDS} in short")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio", help="the subjects' event loop")
    parser.add_argument("--tree", type=Path, default=processes.ROOT, metavar="DIR", help="where gateway.py is")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), metavar="DIR", help="JSON and chart")
    parser.add_argument("--keep", metavar="NAME", help="put them into bench/results/ as well, under this name")
    return parser


if __name__ == "__main__":
    sys.exit(main())
