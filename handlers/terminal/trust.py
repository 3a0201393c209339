"""The command `trust`: prints the report from feedback on the mixtures, exports its counts, and resets them."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from config.locations import state_folder
from config.settings import StoreSettings
from handlers.errors import StartError
from handlers.feedback_loop import list_counts
from handlers.terminal.commands import EXIT_OK, Invocation
from handlers.ui.models.trust_view import build_trust_view, list_panels
from store.choice import FILE_NAME, make_store
from store.store import Store, StoreError, Tally
from synth.feedback.trust import split_scope

_EVERYBODY = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `trust`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--export", action="store_true", help="print the counts as JSON lines; they hold no text")
    what.add_argument(
        "--reset", nargs="?", const=_EVERYBODY, metavar="MODEL", help="forget the counts of a model, or of all"
    )


def run(invocation: Invocation) -> int:
    """Print, export or reset the counts of feedback. Raises StartError if the store cannot be used."""
    settings, options = invocation.read_settings(), invocation.options
    now = time.time()
    tallies = asyncio.run(_use_store(settings.store, invocation.environ, options.reset))
    if options.export:
        lines = [json.dumps(each) for each in export_tallies(tallies, now)]
    elif options.reset is not None:
        n_forgotten = len(select_members(tallies, options.reset))
        lines = [f"Forgotten: what was known of {n_forgotten} {'member' if n_forgotten == 1 else 'members'}."]
    else:
        views = build_trust_view(list_counts(tallies, now), list_panels(settings), ())
        lines = [line for view in views for line in _format_view(view)]
        lines = lines or ["No answer was judged yet. Feedback comes with later requests of the same conversations."]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return EXIT_OK


def select_members(tallies: Sequence[Tally], name: str) -> list[str]:
    """Return the store's members with this model's name, or all for "". A model may have had several ids over time."""
    members = dict.fromkeys(each.member for each in tallies)
    return [member for member in members if name == _EVERYBODY or member.partition("=")[0] == name]


def export_tallies(tallies: Sequence[Tally], now: float) -> list[dict[str, object]]:
    """Return each count as a JSON object: its name, its number, and its decayed weight."""
    rows = zip(tallies, list_counts(tallies, now), strict=True)
    return [
        {
            "mixture": split_scope(tally.kind)[0],
            "kind": split_scope(tally.kind)[1],
            "member": tally.member.partition("=")[0],
            "upstream_model": tally.member.partition("=")[2],
            "name": tally.name,
            "count": tally.count,
            "weight": round(count.weight, 6),
            "at": datetime.fromtimestamp(tally.at, UTC).isoformat(timespec="seconds"),
        }
        for tally, count in rows
    ]


def _format_view(view: Mapping[str, object]) -> list[str]:
    def read(key: str) -> Sequence[Mapping[str, str]]:
        return view[key]  # type: ignore[return-value]

    lines = [
        f"{view['name']}",
        *(f"  {each['advice'].upper()}: {each['sentence']}" for each in read("recommendations")),
    ]
    lines += [f"  {line}" for line in view["lines"]]  # type: ignore[attr-defined]
    kinds = [f"    {each['name']}: {each['right']} of {each['n']}" for each in read("kinds")]
    return [*lines, *(["  Right, by kind of task:", *kinds] if kinds else []), ""]


async def _use_store(settings: StoreSettings, environ: Mapping[str, str], reset: str | None) -> Sequence[Tally]:
    """Return the tallies, and reset those of a model, or all, afterwards."""
    folder = state_folder(environ)
    if settings.url is None and not (folder / FILE_NAME).exists():
        return ()
    try:
        store = make_store(settings, folder)
        try:
            await store.open()
            tallies = await store.read_tallies()
            if reset is not None:
                await _reset(store, tallies, reset)
            return tallies
        finally:
            await store.close()
    except StoreError as error:
        raise StartError(f"the store cannot be used: {error}") from error


async def _reset(store: Store, tallies: Sequence[Tally], name: str) -> None:
    if name == _EVERYBODY:
        await store.reset_tallies()
        return
    members = select_members(tallies, name)
    if not members:
        known = ", ".join(sorted({each.member.partition("=")[0] for each in tallies if each.member})) or "none"
        raise StartError(f"nothing is known of a model {name!r} (known: {known})")
    for member in members:
        await store.reset_tallies(member)
