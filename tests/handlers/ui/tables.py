"""An HTML page's tables, as a person reads them."""

from html.parser import HTMLParser


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._cell: list[str] | None = None
        self._in_chart = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 -- the base's
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = []
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")
        elif tag == "svg":
            self._in_chart += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None
        elif tag == "svg":
            self._in_chart -= 1

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._in_chart:
            self._cell.append(data)


def tables(page: str) -> list[dict[str, dict[str, str]]]:
    """Return each table's rows by the text of their first cell, and in them the cells by the heads of their columns."""
    reader = _Tables()
    reader.feed(page)
    reader.close()
    return [{row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]} for rows in reader.tables]
