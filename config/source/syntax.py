"""Explains YAML syntax errors in words, with line and column, without showing the file's text: any of it may be a key.

PyYAML reports where its parser gave up, which is often behind the mistake. The explanations read the position and the
shape of the line there (a quote before it, a tab, a colon), and name the cause that people usually have to look for.
The two parsers of PyYAML word their errors differently, so only fragments that both share are matched.
"""

import re

import yaml

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTED = re.compile(r"(?P<sign>'.'|'<[a-z ]+>')|'[^']*'|\"[^\"]*\"")  # PyYAML quotes its signs, and the file
_TYPOGRAPHIC = re.compile("[\u201c\u201d\u201e\u2018\u2019]")
_SECOND_COLON = re.compile(r"\s*(?:-\s+)*[^\s].*:\s")


_Explanation = tuple[int, str]  # the line and the message


def explain(error: yaml.YAMLError, text: str) -> _Explanation:
    """Return the line (from 1) of a syntax error in `text`, and the explanation."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        found = _UNPRINTABLE.search(text)
        return text.count("\n", 0, found.start() if found else 0) + 1, "has a control character"
    spot = _Spot(error, text)
    return next(found for found in (explanation(spot) for explanation in _EXPLANATIONS) if found is not None)


class _Spot:
    """The position of an error, what the parser says, and the line around it; columns count from 1."""

    def __init__(self, error: yaml.MarkedYAMLError, text: str) -> None:
        lines = text.splitlines() or [""]
        mark, start = error.problem_mark, error.context_mark
        assert mark is not None  # noqa: S101 -- `explain` has checked it
        self.context, self.problem = error.context or "", error.problem or ""
        self.line = min(mark.line + 1, len(lines))  # an unfinished construct ends after the last line
        self.column = mark.column + 1
        self.start_line = start.line + 1 if start else self.line
        self.start_column = start.column + 1 if start else self.column
        shown = lines[mark.line] if mark.line < len(lines) else ""
        self.before, self.after = shown[: mark.column], shown[mark.column :]
        self.start_text = lines[min(self.start_line, len(lines)) - 1]

    @property
    def place(self) -> str:
        return f"column {self.column}"

    @property
    def flow_hint(self) -> str:
        """The likely mistake within {…} and […], by the line on which they open."""
        if _TYPOGRAPHIC.search(self.start_text):
            return "; replace the typographic quotes by plain ones"
        if self.start_text.count('"') % 2:
            return "; a quote is missing on this line"
        return "; within {…} and […], ${VAR} must be in quotes" if "${" in self.start_text else ""


def _explain_open_quote(spot: _Spot) -> _Explanation | None:
    if "scanning a quoted scalar" not in spot.context and "quoted scalar" not in spot.context:
        return None
    if "end of stream" in spot.problem or "document indicator" in spot.problem:
        return spot.start_line, f"a closing quote is missing for the quote at column {spot.start_column}"
    return (
        spot.line,
        f"has an unknown escape at {spot.place}: in double quotes a backslash starts one; use single quotes",
    )


def _explain_text_after_quote(spot: _Spot) -> _Explanation | None:
    is_after_quote = spot.before.rstrip()[-1:] in ('"', "'")
    if not is_after_quote or spot.after[:1] in ("", "\t") or "flow" in spot.context:
        return None
    return spot.line, f"has text after a closing quote, at {spot.place}: is a quote missing here or on a line above?"


def _explain_tab(spot: _Spot) -> _Explanation | None:
    if spot.after[:1] != "\t" and "tab character" not in spot.problem:
        return None
    return spot.line, f"has a tab at {spot.place}: indent with spaces"


def _explain_reserved_character(spot: _Spot) -> _Explanation | None:
    if "cannot start any token" not in spot.problem:
        return None
    return spot.line, f"has a value that starts with a reserved character, at {spot.place}: put the value in quotes"


def _explain_star(spot: _Spot) -> _Explanation | None:
    if "scanning an alias" in spot.context:
        return spot.start_line, f"has a * that starts a word, at column {spot.start_column}: put the word in quotes"
    if "undefined alias" in spot.problem:
        return (
            spot.line,
            f"uses an alias at {spot.place} that no anchor (&) defines; if the * is text, put it in quotes",
        )
    return None


def _explain_open_bracket(spot: _Spot) -> _Explanation | None:
    if "flow" not in spot.context:
        return None
    if "mapping" not in spot.context and "sequence" not in spot.context:
        return spot.line, "has a { or [ that is not closed"
    opening, closing = ("{", "}") if "mapping" in spot.context else ("[", "]")
    where = f"the {opening} at column {spot.start_column}"
    if spot.start_line < spot.line:  # most are written in one line: the mistake is there, not where the parser noticed
        return spot.start_line, f"',' or '{closing}' is missing in {where}, before line {spot.line}{spot.flow_hint}"
    return spot.line, f"',' or '{closing}' is missing at {spot.place}, in {where}{spot.flow_hint}"


def _explain_colon(spot: _Spot) -> _Explanation | None:
    if "mapping values are not allowed" not in spot.problem:
        return None
    if _SECOND_COLON.match(spot.before):
        return spot.line, f"has a second colon, at {spot.place}: put a value that contains ': ' in quotes"
    return spot.line, (
        f"has a key that ends at {spot.place} where no key can be: it is indented too far, "
        "or the line above lacks its colon or the space after its dash"
    )


def _explain_missing_colon(spot: _Spot) -> _Explanation | None:
    if "simple key" not in spot.context:
        return None
    return spot.start_line, f"has a key without a colon, at column {spot.start_column}: write `key: value`"


def _explain_indentation(spot: _Spot) -> _Explanation | None:
    kind = "list" if "collection" in spot.context or "sequence" in spot.context else "mapping"
    if spot.context.startswith("while parsing a block") and "node" not in spot.context:
        return spot.line, (
            f"is indented wrongly: column {spot.column} does not belong to the {kind} "
            f"that starts on line {spot.start_line}, column {spot.start_column}; or one of the lines between is"
        )
    if "<document start>" in spot.problem:
        return spot.line, f"is indented wrongly: {spot.place} is further left than the lines above"
    return None


def _explain_second_document(spot: _Spot) -> _Explanation | None:
    if "single document" not in spot.context:
        return None
    return spot.line, "has a second document after ---: a configuration is a single document"


def _explain_generally(spot: _Spot) -> _Explanation:
    parts = ", ".join(part for part in (spot.context, spot.problem) if part)
    return spot.line, f"{_QUOTED.sub(lambda quoted: quoted['sign'] or '…', parts)}, at {spot.place}"


_EXPLANATIONS = (
    _explain_open_quote,
    _explain_tab,
    _explain_text_after_quote,
    _explain_reserved_character,
    _explain_star,
    _explain_open_bracket,
    _explain_colon,
    _explain_missing_colon,
    _explain_indentation,
    _explain_second_document,
    _explain_generally,
)
