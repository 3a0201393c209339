"""Formats the doctor's report: tables of mixtures and models, problems with their remedies, a summary. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from config.sections.addresses import is_loopback
from config.settings import Mixture, Model, Settings
from handlers.terminal.tables import Cell, format_table, paint
from upstream.doctor.diagnosis import list_sources
from upstream.doctor.probe import ProbeResult

Results = Mapping[str, ProbeResult]
_EMPTY = Cell("-", "dim")


def format_tables(settings: Settings, results: Results | None, *, colours: bool) -> str:
    """Return the tables. `results` are by model name, or None if no model was asked."""
    mixtures = [_format_mixture(mixture, results) for mixture in settings.mixtures]
    models = [_format_model(model, results) for model in settings.models]
    mixture_heads = ["MIXTURE", "PANEL", "CRITIC", "MODE"]
    model_heads = ["MODEL", "UPSTREAM", "ID", "KEY FROM"]
    if results is not None:
        mixture_heads.append("STATE")
        model_heads += ["REACHED", "LISTED", "ANSWERED IN"]
    return "\n".join(
        [
            f"{settings.path} is valid.",
            "",
            *format_table(mixture_heads, mixtures, colours=colours),
            "",
            *format_table(model_heads, models, colours=colours),
        ]
    )


def format_remarks(settings: Settings, results: Results, *, colours: bool) -> list[str]:
    """Return a line for each problem, each warning, and each adaptation of requests to a model."""
    problem, warning = paint("problem", "red", colours=colours), paint("warning", "yellow", colours=colours)
    adapted = paint("adapted", "green", colours=colours)
    hosts = _find_unreachable_hosts(settings, results)
    lines = [f"{problem}: {_describe_no_network(hosts)}"] if hosts else []
    for result in results.values():
        if result.problem and not (hosts and result.is_offline):
            lines.append(f"{problem}: {result.name}: {result.problem}")
        if result.warning:
            lines.append(f"{warning}: {result.name}: {result.warning}")
        lines += [f"{adapted}: {result.name}: {note}" for note in result.notes]
    return lines


def format_cache_warnings(settings: Settings, uncached: Any, *, colours: bool) -> list[str]:
    """Return a warning for each model that a running gateway lists as `uncached`, with the panels that it is on."""
    turns = uncached if isinstance(uncached, dict) else {}
    warning = paint("warning", "yellow", colours=colours)
    lines = []
    for model in settings.models:
        n_turns = turns.get(model.name)
        if isinstance(n_turns, int):
            mixtures = [mixture.name for mixture in settings.mixtures if model.name in mixture.used_models]
            place = f", which {', '.join(mixtures)} may ask" if mixtures else ""
            lines.append(
                f"{warning}: {model.name}{place}: its upstream has reported no cached tokens in {n_turns} turns of "
                "conversations, so every turn pays for the whole prompt; see docs/agents.md, Prompt caches"
            )
    return lines


def _find_unreachable_hosts(settings: Settings, results: Results) -> list[str]:
    """Return the hosts if several are configured and none can be reached: then the network fails, not the file."""
    hosted = [model for model in settings.models if model.weights is None and not is_loopback(_host_of(model))]
    hosts = list(dict.fromkeys(_host_of(model) for model in hosted))
    is_offline = len(hosts) > 1 and all(results[model.name].is_offline for model in hosted)
    return hosts if is_offline else []


def _describe_no_network(hosts: Sequence[str]) -> str:
    return f"none of {', '.join(hosts)} can be reached: is this machine online, and does its DNS work?"


def _host_of(model: Model) -> str:
    return urlsplit(model.base_url).hostname or ""


def format_summary(results: Results, *, colours: bool) -> str:
    """Return the last line: how many models answer."""
    n_good = sum(not result.problem for result in results.values())
    if n_good == len(results):
        return paint("All models answer.", "green", colours=colours)
    return paint(f"{n_good} of {len(results)} models answer.", "red", colours=colours)


def _format_mixture(mixture: Mixture, results: Results | None) -> list[Cell]:
    critics = " > ".join(mixture.critics) or "none"
    row = [Cell(mixture.name), Cell(mixture.panel_summary), Cell(critics), Cell(mixture.mode)]
    return row if results is None else [*row, _format_mixture_state(mixture, results)]


def _format_mixture_state(mixture: Mixture, results: Results) -> Cell:
    panel = [name for name in mixture.panel_models if not results[name].problem]
    critics = [name for name in mixture.critics if not results[name].problem]
    if not panel and not critics:
        return Cell("no model answers", "red")
    defects = []
    if len(panel) < len(mixture.panel_models):
        defects.append(f"{len(panel)} of {len(mixture.panel_models)} on the panel answer")
    if mixture.critic and not critics:
        defects.append("no critic answers")
    elif mixture.critic and critics[0] != mixture.critic.model:
        defects.append(f"{critics[0]} is the critic")
    return Cell("; ".join(defects), "yellow") if defects else Cell("ready", "green")


def _format_model(model: Model, results: Results | None) -> list[Cell]:
    weights = model.weights
    upstream = "embedded" if weights else model.base_url
    model_id = (weights.name or str(weights.path)) if weights else model.model
    row = [Cell(model.name), Cell(upstream), Cell(model_id), _format_key(model)]
    if results is None:
        return row
    result = results.get(model.name)
    return [*row, *(_format_result(result) if result else [_EMPTY, _EMPTY, Cell("not used by a mixture", "dim")])]


def _format_key(model: Model) -> Cell:
    secrets = [*([model.api_key] if model.api_key else []), *model.headers.values()]
    return Cell(list_sources(secrets)) if secrets else _EMPTY


def _format_result(result: ProbeResult) -> list[Cell]:
    reached = Cell("yes", "green") if result.is_reached else Cell("no", "red")
    listed = {True: Cell("yes", "green"), False: Cell("no", "yellow"), None: _EMPTY}[result.is_listed]
    if result.seconds is None:
        return [reached, listed, Cell("no answer", "red")]
    return [reached, listed, Cell(f"{result.seconds:.2f} s", "green")]
