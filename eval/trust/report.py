"""Runs the simulation of trust, and writes its tables and its plot."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import mean, stdev

from eval.trust.plot import draw_regret
from eval.trust.simulation import FIXED, POLICIES, Course, play
from eval.trust.world import Feedback, Task, World, repeat_shuffled

N_REQUESTS = 2_000
N_RUNS = 20
N_PASSES = 8  # over the recorded items
PANEL = ("a", "b", "c")

WORLD = World(
    rates={
        "the operator is right": {"a": 0.80, "b": 0.60, "c": 0.50},
        "the operator is wrong": {"a": 0.45, "b": 0.75, "c": 0.60},
        "all are alike": {"a": 0.60, "b": 0.62, "c": 0.58},
    },
    shares={"the operator is right": 0.4, "the operator is wrong": 0.4, "all are alike": 0.2},
)
"""Three members whose order is right at one kind of task, wrong at another, and of no importance at the third."""

Draw = Callable[[random.Random], Iterable[Task]]


def measure(
    draw: Draw, panel: Sequence[str], best: Mapping[str, str], feedback: Feedback, n_runs: int = N_RUNS
) -> dict[str, list[Course]]:
    """Return the courses of each policy; in one run all of them answer the same requests."""
    courses: dict[str, list[Course]] = {policy: [] for policy in POLICIES}
    for seed in range(n_runs):
        tasks = list(draw(random.Random(seed)))  # noqa: S311 -- a simulation
        for policy in POLICIES:
            courses[policy].append(play(policy, tasks, panel, best=best, feedback=feedback, seed=seed))
    return courses


def measure_world(world: World = WORLD, n_requests: int = N_REQUESTS, n_runs: int = N_RUNS) -> dict[str, list[Course]]:
    """Return the courses of the simulated world."""
    best = {kind: max(rates, key=rates.__getitem__) for kind, rates in world.rates.items()}
    return measure(lambda rng: (world.draw(rng) for _ in range(n_requests)), PANEL, best, Feedback(), n_runs)


def make_table(courses: Mapping[str, Sequence[Course]]) -> str:
    """Return a Markdown table: right answers, and regret against the oracle, in the end and in the last quarter."""
    rows: list[tuple[str, ...]] = [
        ("policy", "right answers", "regret", "regret in the last quarter", "runs better than the fixed order")
    ]
    for policy, runs in courses.items():
        ends = [run.regret[-1] for run in runs]
        late = [run.regret[-1] - run.regret[len(run.regret) * 3 // 4] for run in runs]
        pairs = zip(runs, courses[FIXED], strict=True)
        better = sum(run.n_right > fixed.n_right for run, fixed in pairs)
        shown = "" if policy == FIXED else f"{better} of {len(runs)}"
        right = mean(run.n_right for run in runs) / len(runs[0].regret)
        rows.append((policy, f"{right:.1%}", f"{mean(ends):.0f} \u00b1 {stdev(ends):.0f}", f"{mean(late):z.0f}", shown))
    rows.insert(1, ("---",) * len(rows[0]))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def measure_recorded(tasks: Sequence[Task], panel: Sequence[str], n_requests: int) -> dict[str, list[Course]]:
    """Return the courses of recorded tasks, shuffled anew in each pass; the oracle is the best member of a kind."""
    solved: Counter[tuple[str, str]] = Counter()
    for task in tasks:
        solved.update((task.kind, member) for member, (is_right, _) in task.attempts.items() if is_right)
    best = {kind: max(panel, key=lambda member: solved[kind, member]) for kind in {task.kind for task in tasks}}
    return measure(lambda rng: repeat_shuffled(tasks, n_requests, rng), panel, best, Feedback())


def write_report(tasks: Sequence[Task], models: Sequence[str]) -> tuple[str, str]:
    """Return the tables of the simulated world and of recorded tasks of these models, and the plot of the first."""
    courses = measure_world()
    title = f"Right answers lost against the best order, {N_RUNS} runs of {N_REQUESTS:,} requests"
    parts = [title, make_table(courses)]
    for panel in (tuple(models), tuple(reversed(models))) if tasks else ():
        n_requests = N_PASSES * len(tasks)
        found = measure_recorded(tasks, panel, n_requests)
        parts += [
            f"Recorded: {len(tasks)} items, {n_requests} requests, in the order {', '.join(panel)}",
            make_table(found),
        ]
    return "\n\n".join(parts), draw_regret(title, courses)
