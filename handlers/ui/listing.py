"""The list of requests: filter, paging, and the totals of the day. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from handlers.traces.schema import Summary
from handlers.ui.formats import format_cost

PER_PAGE = 50
_MAX_PAGE = 10**6
_DAY_CHARS = len("2026-01-01")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The filter of the list: each field that is not empty narrows it. `page` counts from 1.

    The field names are those of the address, so that a filtered list can be kept and shared as a link.
    """

    q: str = ""
    mixture: str = ""
    mode: str = ""
    outcome: str = ""
    status: str = ""
    client: str = ""
    page: int = 1

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "ListQuery":
        """Return the filter of an address; a page that is not a number counts as the first."""
        stated = query.get("page", "")
        page = int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < len(str(_MAX_PAGE)) else 1
        fields = {name: query.get(name, "").strip() for name in _FILTERS}
        return cls(**fields, page=max(1, page))

    @property
    def narrows(self) -> bool:
        """Whether the filter may leave requests out."""
        return any(getattr(self, name) for name in _FILTERS)

    def matches(self, row: Summary) -> bool:
        """Whether a request passes the filter; a search finds texts that contain every one of its words."""
        return all(getattr(self, name) in ("", value(row)) for name, value in _COLUMNS.items()) and all(
            word in row.searched for word in self.q.casefold().split()
        )

    def address(self, page: int) -> str:
        """Return the address of another page of the same list."""
        return "/ui?" + urlencode({name: value for name, value in {**asdict(self), "page": page}.items() if value})


_COLUMNS: Mapping[str, Callable[[Summary], str | None]] = {
    "mixture": lambda row: row.mixture,
    "mode": lambda row: row.mode,
    "outcome": lambda row: row.outcome,
    "status": lambda row: str(row.status or ""),
    "client": lambda row: row.client,
}
_FILTERS = ("q", *_COLUMNS)


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
class Menu:
    """A menu of the filter: the field of the query, its label, its values with the empty one first, the chosen one."""

    name: str
    label: str
    values: Sequence[str]
    chosen: str


@dataclass(frozen=True, slots=True)
class DayTotals:
    """Sums over the kept requests of one day; `cost` is formatted."""

    n_requests: int
    n_ok: int
    n_failed: int
    n_cancelled: int
    n_tokens: int
    cost: str


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


def build_menus(summaries: Sequence[Summary], query: ListQuery) -> list[Menu]:
    """Return the filter's menus: the values that occur among the requests, and the chosen one in any case.

    A menu without a choice is left out.
    """
    labels = {
        "mixture": "Mixture or model",
        "mode": "Mode",
        "outcome": "Outcome",
        "status": "Status",
        "client": "Client",
    }
    menus: list[Menu] = []
    for name, value in _COLUMNS.items():
        chosen = getattr(query, name)
        values = sorted({"", chosen, *(found for row in summaries if (found := value(row)))})
        if len(values) > 1:
            menus.append(Menu(name, labels[name], values, chosen))
    return menus


def sum_day(summaries: Sequence[Summary], today: str) -> DayTotals:
    """Return the totals of the requests that began on a day, an ISO date in UTC as in the traces."""
    rows = [row for row in summaries if row.time[:_DAY_CHARS] == today]
    costs: dict[str, float] = {}
    for row in rows:
        if row.cost:
            costs[row.currency] = costs.get(row.currency, 0.0) + row.cost
    known = " + ".join(format_cost(cost, currency) for currency, cost in costs.items())
    is_partial = any(row.cost is None for row in rows)
    return DayTotals(
        n_requests=len(rows),
        n_ok=sum(row.outcome == "ok" for row in rows),
        n_failed=sum(row.outcome == "failed" for row in rows),
        n_cancelled=sum(row.outcome == "cancelled" for row in rows),
        n_tokens=sum(row.n_tokens for row in rows),
        cost=(f"at least {known}" if known else "unknown") if is_partial else known or "0",
    )
