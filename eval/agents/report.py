"""Replays the scripted session in all ways, and writes Markdown tables of their costs."""

from collections.abc import Sequence

from eval.agents.replay import Line, list_ways, list_ways_as_text, measure, read_settings

_HEAD = (
    "way",
    "turns with panel",
    "calls",
    "tokens in",
    "of them cached",
    "tokens out",
    "cost",
    "of solo",
    "p50 s",
    "added s a turn",
)


def write_report() -> str:
    """Return both tables: of the session with tools, and of the one without."""
    settings = read_settings()
    (mixture,) = settings.mixtures
    with_tools, as_text = (measure(ways, settings) for ways in (list_ways(mixture), list_ways_as_text(mixture)))
    parts = [
        "With tools:",
        make_table(with_tools),
        "Without tools, each step a turn of the user's:",
        make_table(as_text),
    ]
    return "\n\n".join(parts)


def make_table(lines: Sequence[Line]) -> str:
    """Return the lines as a Markdown table; sums are of the whole session."""
    rows = [_HEAD, ["---"] * len(_HEAD), *map(_cells, lines)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cells(line: Line) -> list[str]:
    return [
        line.name,
        f"{line.n_panel}/{line.n_turns}",
        str(line.n_calls),
        f"{line.tokens.prompt:,}",
        f"{line.tokens.cached / line.tokens.prompt:.0%}",
        f"{line.tokens.completion:,}",
        f"{line.cost:.3f}",
        f"{line.cost_ratio:.2f}",
        f"{line.p50_s:.1f}",
        f"{line.added_s:+.1f}",
    ]
