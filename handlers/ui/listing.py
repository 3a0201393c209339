"""The list of requests: which of them are shown, and on which page. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from handlers.traces.schema import Summary

PER_PAGE = 50
_MAX_PAGE = 10**6


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The filter of the list: each field that is not empty narrows it. `page` counts from 1."""

    text: str = ""
    mixture: str = ""
    mode: str = ""
    outcome: str = ""
    page: int = 1

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "ListQuery":
        """Return the filter of an address; a page that is not a number counts as the first."""
        stated = query.get("page", "")
        page = int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < len(str(_MAX_PAGE)) else 1
        text = query.get("q", "").strip()
        return cls(text, query.get("mixture", ""), query.get("mode", ""), query.get("outcome", ""), max(1, page))

    @property
    def narrows(self) -> bool:
        """Whether the filter may leave requests out."""
        return bool(self.text or self.mixture or self.mode or self.outcome)

    def matches(self, row: Summary) -> bool:
        """Whether a request passes the filter."""
        return (
            self.mixture in ("", row.mixture)
            and self.mode in ("", row.mode)
            and self.outcome in ("", row.outcome)
            and (not self.text or self.text.casefold() in _searched_text(row))
        )

    def address(self, page: int) -> str:
        """Return the address of another page of the same list."""
        fields = {"q": self.text, "mixture": self.mixture, "mode": self.mode, "outcome": self.outcome}
        return "/ui?" + urlencode({name: value for name, value in [*fields.items(), ("page", page)] if value})


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list; `newer` and `older` are the addresses of its neighbours, None at the ends."""

    rows: Sequence[Summary]
    n_matching: int
    n_all: int
    page: int
    n_pages: int
    newer: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """The choices of the filter's menus; the empty choice comes first."""

    mixtures: Sequence[str]
    modes: Sequence[str]
    outcomes: Sequence[str]


def build_listing(summaries: Sequence[Summary], query: ListQuery) -> Listing:
    """Return the page that the query names, or the last one if there are fewer."""
    matching = [row for row in summaries if query.matches(row)]
    n_pages = max(1, -(-len(matching) // PER_PAGE))
    page = min(query.page, n_pages)
    return Listing(
        rows=matching[(page - 1) * PER_PAGE : page * PER_PAGE],
        n_matching=len(matching),
        n_all=len(summaries),
        page=page,
        n_pages=n_pages,
        newer=query.address(page - 1) if page > 1 else None,
        older=query.address(page + 1) if page < n_pages else None,
    )


def list_options(summaries: Sequence[Summary], query: ListQuery) -> FilterOptions:
    """Return the values that occur among the requests, and those of the query, even if none has them any more."""
    return FilterOptions(
        _choices({row.mixture for row in summaries}, query.mixture),
        _choices({row.mode for row in summaries}, query.mode),
        _choices({row.outcome for row in summaries}, query.outcome),
    )


def _choices(found: set[str | None], chosen: str) -> list[str]:
    return sorted({"", chosen, *(value for value in found if value)})


def _searched_text(row: Summary) -> str:
    return " ".join(filter(None, (row.id, row.client, row.mixture, row.preview))).casefold()
