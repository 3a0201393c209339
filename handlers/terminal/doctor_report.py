"""What `--check` says: the mixtures, the models and how they answered, and what to do about those that do not. Pure."""

from collections.abc import Mapping

from config.settings import Mixture, Model, Settings
from handlers.terminal.tables import Cell, painted, table
from upstream.doctor.diagnosis import sources
from upstream.doctor.probe import Finding

Findings = Mapping[str, Finding]
_NOTHING = Cell("-", "dim")


def report(settings: Settings, findings: Findings | None, *, colours: bool) -> str:
    """Return the tables. `findings` are by the models' names; None where nobody was asked."""
    mixtures = [_mixture_row(mixture, findings) for mixture in settings.mixtures]
    models = [_model_row(model, findings) for model in settings.models]
    mixture_heads = ["MIXTURE", "PANEL", "CRITIC", "MODE"]
    model_heads = ["MODEL", "UPSTREAM", "ID", "KEY FROM"]
    if findings is not None:
        mixture_heads.append("STATE")
        model_heads += ["REACHED", "LISTED", "ANSWERED IN"]
    return "\n".join(
        [
            f"{settings.path} is valid.",
            "",
            *table(mixture_heads, mixtures, colours=colours),
            "",
            *table(model_heads, models, colours=colours),
        ]
    )


def remarks(findings: Findings, *, colours: bool) -> list[str]:
    """Return a line for each problem and each warning."""
    lines = []
    for finding in findings.values():
        if finding.problem:
            lines.append(f"{painted('problem', 'red', colours=colours)}: {finding.name}: {finding.problem}")
        if finding.warning:
            lines.append(f"{painted('warning', 'yellow', colours=colours)}: {finding.name}: {finding.warning}")
    return lines


def verdict(findings: Findings, *, colours: bool) -> str:
    """Return the last line: how many models answer."""
    n_good = sum(not finding.problem for finding in findings.values())
    if n_good == len(findings):
        return painted("All models answer.", "green", colours=colours)
    return painted(f"{n_good} of {len(findings)} models answer.", "red", colours=colours)


def _mixture_row(mixture: Mixture, findings: Findings | None) -> list[Cell]:
    critics = " > ".join([mixture.critic.model, *mixture.critic.fallbacks])
    panel = ", ".join(proposer.name for proposer in mixture.panel)
    row = [Cell(mixture.name), Cell(panel), Cell(critics), Cell(mixture.mode)]
    return row if findings is None else [*row, _state(mixture, findings)]


def _state(mixture: Mixture, findings: Findings) -> Cell:
    panel = [name for name in mixture.panel_models if not findings[name].problem]
    critics = [name for name in (mixture.critic.model, *mixture.critic.fallbacks) if not findings[name].problem]
    if not panel and not critics:
        return Cell("nobody answers", "red")
    wrong = []
    if len(panel) < len(mixture.panel_models):
        wrong.append(f"{len(panel)} of {len(mixture.panel_models)} on the panel answer")
    if not critics:
        wrong.append("no critic answers")
    elif critics[0] != mixture.critic.model:
        wrong.append(f"{critics[0]} is the critic")
    return Cell("; ".join(wrong), "yellow") if wrong else Cell("ready", "green")


def _model_row(model: Model, findings: Findings | None) -> list[Cell]:
    weights = model.weights
    where = "embedded" if weights else model.base_url
    what = (weights.name or str(weights.path)) if weights else model.model
    row = [Cell(model.name), Cell(where), Cell(what), _key(model)]
    return row if findings is None else [*row, *_outcome(findings[model.name])]


def _key(model: Model) -> Cell:
    secrets = [*([model.api_key] if model.api_key else []), *model.headers.values()]
    return Cell(sources(secrets)) if secrets else _NOTHING


def _outcome(finding: Finding) -> list[Cell]:
    reached = Cell("yes", "green") if finding.is_reached else Cell("no", "red")
    listed = {True: Cell("yes", "green"), False: Cell("no", "yellow"), None: _NOTHING}[finding.is_listed]
    if finding.seconds is None:
        return [reached, listed, Cell("no answer", "red")]
    return [reached, listed, Cell(f"{finding.seconds:.2f} s", "green")]
