"""`make eval`: measure a mixture, and write the report. Composition only."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from config import ConfigError, load, read_dotenv
from config.locations import models_folder
from config.settings import Mixture, Settings
from eval import edit_suite, humaneval, prose
from eval.agents import session
from eval.agents.report import write_report
from eval.arms import Arm, choose_arms, make_arms
from eval.asking import Conditions
from eval.items import Item
from eval.measuring import Measuring, Result
from eval.plot import svg
from eval.record import Record, Recorder
from eval.report import deciders, losses, make_lines, signals, table
from eval.trust.recorded import read_tasks
from eval.trust.report import write_report as write_trust_report
from handlers.telemetry import logs
from runtime.sandbox.namespaces import Isolation, isolation
from upstream.embedded.supervisor import EmbeddedModels
from upstream.pool import Pool

SUITES: Mapping[str, Callable[[], list[Item]]] = {
    humaneval.SUITE: humaneval.items,
    humaneval.HIDDEN_SUITE: humaneval.hidden_items,
    edit_suite.SUITE: edit_suite.items,
    edit_suite.WHOLE_SUITE: edit_suite.whole_items,
    prose.SUITE: prose.items,
    session.SUITE: session.items,
}
_LOOK_EVERY_S = 0.5
_AGENTS = "agents"
"""The scripted session of an agent: it asks no model, and takes no other option."""

_TRUST = "trust"
"""What learning from feedback gains: a simulation, and the recorded answers to HumanEval. It asks no model."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.suite == _AGENTS:
        print(write_report())
        return 0
    try:
        settings = load(options.config, {**read_dotenv(options.config.parent / ".env"), **os.environ})
        mixture = settings.mixture(options.mixture) if options.mixture else settings.mixtures[0]
        arms = choose_arms(make_arms(mixture, options.seed), options.arms, mixture.panel_models)
        items = SUITES[humaneval.SUITE if options.suite == _TRUST else options.suite]()[: options.limit]
    except (ConfigError, KeyError, ValueError, PackageNotFoundError) as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 2
    if isolation() is Isolation.LIMITS:
        print(f"The answers' code runs under {isolation()}.", file=sys.stderr)
    logs.configure(debug=False)
    if options.suite == _TRUST:
        return asyncio.run(_measure_trust(options, settings, mixture, items))
    return asyncio.run(_measure(options, settings, mixture, arms, items))


async def _measure(
    options: argparse.Namespace, settings: Settings, mixture: Mixture, arms: Sequence[Arm], items: Sequence[Item]
) -> int:
    record = Record(options.out / "record.jsonl")
    stop = time.monotonic() + options.minutes * 60
    conditions = Conditions(options.seed, options.max_tokens)
    async with _open_recorder(settings, mixture, record, asks=not options.offline) as recorder:
        measuring = Measuring(record, settings, mixture, conditions, recorder=recorder)
        found: list[Result] = []
        n_items = 0
        with tqdm(total=len(items), unit="item", desc=options.suite) as bar:
            async for results in measuring.results(arms, items, goes_on=lambda: time.monotonic() < stop):
                found += results
                n_items += bool(results)
                bar.update()
    if not found:
        print("nothing was measured: no item has all of its calls recorded", file=sys.stderr)
        return 1
    print(_write_report(options, found, mixture, record, n_items))
    return 0


async def _measure_trust(
    options: argparse.Namespace, settings: Settings, mixture: Mixture, items: Sequence[Item]
) -> int:
    conditions = Conditions(options.seed, options.max_tokens)
    measuring = Measuring(Record(options.out / "record.jsonl"), settings, mixture, conditions)
    tasks = await read_tasks(measuring, mixture.panel_models, items, humaneval.SUITE)
    report, plot = write_trust_report(tasks, mixture.panel_models)
    (options.out / "trust.svg").write_text(plot, encoding="utf-8")
    print(report)
    return 0


def _write_report(
    options: argparse.Namespace, results: Sequence[Result], mixture: Mixture, record: Record, n_items: int
) -> str:
    """Write the report and the plot; return the report."""
    found = make_lines(results, mixture.panel_models, seed=options.seed)
    facts = [
        f"Suite {options.suite}, mixture {mixture.name}, N = {n_items}.",
        f"Seed {options.seed}, at most {options.max_tokens} tokens an answer.",
        f"Answers ran in {isolation()}.",
        *(f"Recorded with {_describe(provenance)}." for provenance in record.provenances()),
    ]
    parts = [
        "Decided by:",
        "",
        deciders(results),
        "",
        *signals(results),
        *losses(results, mixture.panel_models),
        *facts,
    ]
    report = "\n".join([table(found), "", *parts, ""])
    name = f"{options.suite}-{mixture.name}"
    (options.out / f"{name}.md").write_text(report, encoding="utf-8")
    title = f"{options.suite}, {mixture.name}: pass rate with its 95 % interval, {n_items} items"
    (options.out / f"{name}.svg").write_text(svg(title, found), encoding="utf-8")
    return report


def _describe(provenance: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in provenance.items())


@asynccontextmanager
async def _open_recorder(
    settings: Settings, mixture: Mixture, record: Record, *, asks: bool
) -> AsyncGenerator[Recorder | None]:
    """Run the embedded models of the mixture, and yield a recorder, or None if no call may be made."""
    if not asks:
        yield None
        return
    models = [settings.model(name) for name in mixture.used_models]
    weights = [model.weights for model in models if model.weights is not None]
    embedded = EmbeddedModels(weights, models_dir=models_folder(os.environ), environ=os.environ)
    await embedded.start()
    pool = Pool(settings.models, embedded=embedded)
    try:
        said: list[str] = []
        while waiting := [state.reason for state in embedded.list_statuses() if state.phase != "ready"]:
            if waiting != said:
                print("; ".join(waiting), file=sys.stderr)
                said = waiting
            await asyncio.sleep(_LOOK_EVERY_S)
        yield Recorder(pool, record, {"runtime": f"xllamacpp {version('xllamacpp')}"})
    finally:
        await pool.close()
        await embedded.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make eval ARGS=", description="Measure a mixture against its own members")
    parser.add_argument("--suite", choices=[*SUITES, _AGENTS, _TRUST], default=edit_suite.SUITE)
    parser.add_argument("--limit", type=int, metavar="N", help="only the N shortest items")
    parser.add_argument("--arms", metavar="A,B", help="only these, by name; an unknown name lists them all")
    parser.add_argument("--mixture", metavar="NAME", help="default: the first")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="F")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=512, metavar="N", help="of an answer")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="M", help="begin no item after so long")
    parser.add_argument("--offline", action="store_true", help="make no call: only items that are recorded whole")
    parser.add_argument("--out", type=Path, default=Path("eval-results"), metavar="DIR", help="record, report and plot")
    return parser


if __name__ == "__main__":
    sys.exit(main())
