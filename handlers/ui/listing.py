"""The list of requests: which of them are shown, and on which page. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from handlers.traces.reading import Summary

PER_PAGE = 50
_MAX_PAGE = 10**6


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the list: each field that is not empty narrows it. `page` counts from 1."""

    text: str = ""
    mixture: str = ""
    mode: str = ""
    outcome: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Asked":
        """Read a query; a page that is no number is the first."""
        stated = query.get("page", "")
        page = int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < len(str(_MAX_PAGE)) else 1
        text = query.get("q", "").strip()
        return cls(text, query.get("mixture", ""), query.get("mode", ""), query.get("outcome", ""), max(1, page))

    @property
    def narrows(self) -> bool:
        """Whether some requests may be left out."""
        return bool(self.text or self.mixture or self.mode or self.outcome)

    def fits(self, line: Summary) -> bool:
        """Whether a request is among those that are asked for."""
        return (
            self.mixture in ("", line.mixture)
            and self.mode in ("", line.mode)
            and self.outcome in ("", line.outcome)
            and (not self.text or self.text.casefold() in _searched(line))
        )

    def address(self, page: int) -> str:
        """Return the address of another page of the same list."""
        fields = {"q": self.text, "mixture": self.mixture, "mode": self.mode, "outcome": self.outcome}
        return "/ui?" + urlencode({name: value for name, value in [*fields.items(), ("page", page)] if value})


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list; `newer` and `older` are the addresses beside it, None where there is none."""

    lines: Sequence[Summary]
    n_matching: int
    n_all: int
    page: int
    n_pages: int
    newer: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class Options:
    """What the list may be narrowed to; the empty choice first."""

    mixtures: Sequence[str]
    modes: Sequence[str]
    outcomes: Sequence[str]


def listed(summaries: Sequence[Summary], asked: Asked) -> Listing:
    """Return the page that is asked for, or the last one where there are fewer."""
    matching = [line for line in summaries if asked.fits(line)]
    n_pages = max(1, -(-len(matching) // PER_PAGE))
    page = min(asked.page, n_pages)
    return Listing(
        lines=matching[(page - 1) * PER_PAGE : page * PER_PAGE],
        n_matching=len(matching),
        n_all=len(summaries),
        page=page,
        n_pages=n_pages,
        newer=asked.address(page - 1) if page > 1 else None,
        older=asked.address(page + 1) if page < n_pages else None,
    )


def options(summaries: Sequence[Summary], asked: Asked) -> Options:
    """Return what occurs among the requests, and what is asked for, be there none of it any more."""
    return Options(
        _choices({line.mixture for line in summaries}, asked.mixture),
        _choices({line.mode for line in summaries}, asked.mode),
        _choices({line.outcome for line in summaries}, asked.outcome),
    )


def _choices(found: set[str | None], chosen: str) -> list[str]:
    return sorted({"", chosen, *(value for value in found if value)})


def _searched(line: Summary) -> str:
    return " ".join(filter(None, (line.id, line.client, line.mixture, line.about))).casefold()
