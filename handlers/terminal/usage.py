"""The command `usage`: prints the usage of the last days, as tables, CSV or JSON."""

import argparse
import asyncio
import sys
import time
from collections.abc import Collection, Mapping, Sequence

from config.locations import state_folder
from config.settings import StoreSettings
from handlers.errors import StartError
from handlers.terminal.commands import EXIT_OK, Invocation
from handlers.terminal.tables import Cell, format_table
from handlers.ui.formats import format_count
from handlers.ui.usage_view import describe_cost, find_unpriced
from store.choice import FILE_NAME, make_store
from store.rules import DAY_S
from store.store import USAGE_DAYS, StoreError, Usage, UsageKey
from store.usage_report import COLUMNS, Column, UsageRow, as_csv, as_json, group_usage

_BAR_CHARS = 24
_HEADS = ("requests", "tokens in", "cached", "tokens out", "cost")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `usage`."""
    parser.add_argument("--days", type=_days, default=30, metavar="N", help="the last N days (UTC); default: 30")
    parser.add_argument("--format", choices=("text", "csv", "json"), default="text", help="default: text")


def run(invocation: Invocation) -> int:
    """Print the usage of the configured store. Raises StartError if it cannot be read."""
    settings, options = invocation.read_settings(), invocation.options
    usage = asyncio.run(_read(settings.store, invocation.environ, options.days))
    unpriced = find_unpriced(settings)
    currency = settings.server.currency
    if options.format == "text":
        is_plain = not sys.stdout.isatty() or bool(invocation.environ.get("NO_COLOR"))
        print("\n".join(format_usage(usage, unpriced, currency, colours=not is_plain)))  # noqa: T201 -- its purpose
    else:
        write = as_csv if options.format == "csv" else as_json
        sys.stdout.write(write(group_usage(usage, COLUMNS, unpriced), COLUMNS, currency))
    return EXIT_OK


def format_usage(
    usage: Mapping[UsageKey, Usage], unpriced: Collection[str], currency: str, *, colours: bool
) -> list[str]:
    """Return the lines of a table for each column: by day with a bar, by client, mixture and model."""
    if not usage:
        return ["No usage is recorded for these days."]
    lines: list[str] = []
    for column in COLUMNS:
        rows = group_usage(usage, (column,), unpriced)
        lines += [*([""] if lines else []), *_format_group(rows, column, currency, colours=colours)]
    return lines


def _format_group(rows: Sequence[UsageRow], column: Column, currency: str, *, colours: bool) -> list[str]:
    most = max(row.tokens for row in rows)
    is_chart = column == "day"
    cells = [
        [
            Cell(row.names[0] or "(none)"),
            *_format_figures(row, currency),
            *([Cell("█" * round(_BAR_CHARS * row.tokens / max(1, most)), "green")] if is_chart else []),
        ]
        for row in rows
    ]
    return format_table([column, *_HEADS, *([""] if is_chart else [])], cells, colours=colours)


def _format_figures(row: UsageRow, currency: str) -> list[Cell]:
    counts = (row.requests, row.prompt_tokens, row.cached_tokens, row.completion_tokens)
    return [*[Cell(format_count(each)) for each in counts], Cell(describe_cost(row, currency))]


async def _read(settings: StoreSettings, environ: Mapping[str, str], n_days: int) -> Mapping[UsageKey, Usage]:
    folder = state_folder(environ)
    if settings.url is None and not (folder / FILE_NAME).exists():
        return {}
    today = int(time.time() // DAY_S)
    try:
        store = make_store(settings, folder)
        try:
            await store.open()
            return await store.read_usage(today - n_days + 1, today)
        finally:
            await store.close()
    except StoreError as error:
        raise StartError(f"the usage cannot be read: {error}") from error


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= USAGE_DAYS:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {USAGE_DAYS}, is {text!r}")
    return int(text)
