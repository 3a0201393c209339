"""Read from a program's output whether tests passed, failed, or a compiler or linter complained. Pure.

Only the summary lines of well-known tools count, in the form in which those tools print them. All other output is
ignored: an exit status alone may be that of a `grep` without a match.
"""

import re
from collections.abc import Iterable

HEAD_CHARS = 2_000
TAIL_CHARS = 6_000
"""How much of the beginning and the end of an output is read: summaries stand at its end, errors at both."""

_MAX_LINE_CHARS = 300

# Each pattern is matched at the beginning of a short line, and repeats only classes that cannot match what follows
# them, so a line is read in linear time.
_FAILED = re.compile(
    r"""
      =*\ ?(?:\d+\ [a-z]+,\ )*\d+\ (?:failed|errors?)\b[^=]{0,120}\ in\ [\d.:]+       # pytest
    | FAILED\ \((?:failures|errors|unexpected\ successes)=\d                          # unittest
    | Tests:\s{1,12}(?:\d+\ [a-z]+,\ )*[1-9]\d*\ failed\b                             # jest
    | \s{0,8}Tests\s{2,8}[1-9]\d*\ failed\b                                           # vitest
    | \s{0,8}[1-9]\d*\ failing\b\s*$                                                  # mocha
    | \#\ fail\ [1-9]                                                                 # node:test
    | test\ result:\ FAILED\.                                                         # cargo test
    | ---\ FAIL:\ | FAIL(?:\t|\s*$)                                                   # go test
    | FAILED:?\ .{0,80}\d+\ tests?\ failed                                            # others in these words
    | error\[E\d{4}\]: | error:\ could\ not\ compile\b                                # rustc, cargo
    | [^\s:()]{1,200}:\d+:(?:\d+:)?\ (?:fatal\ )?error:\                              # gcc, clang, mypy
    | [^\s()]{1,200}\(\d+,\d+\):\ error\ TS\d+: | [^\s:]{1,200}:\d+:\d+\ -\ error\ TS\d+:  # tsc
    | Found\ [1-9]\d*\ errors?\b                                                      # ruff, mypy, tsc
    | \u2716\ \d+\ problems?\ \([1-9]                                                 # eslint, with an error
    | (?:E\ +)?(?:SyntaxError|IndentationError|TabError):\                            # python
    | BUILD\ FAILED\b | \[ERROR\]\ (?:BUILD\ FAILURE|COMPILATION\ ERROR|Tests\ run:)  # gradle, maven
    """,
    re.VERBOSE,
)
_PASSED = re.compile(
    r"""
      =*\ ?\d+\ passed\b(?:,\ \d+\ (?:skipped|deselected|warnings?|xfailed|xpassed|subtests\ passed))*\ in\ [\d.:]+
    | OK(?:\ \((?:skipped|expected\ failures)=\d+.{0,40}\))?\s*$                      # unittest, see _RAN
    | Tests:\s{1,12}(?:\d+\ (?:skipped|todo),\ )*\d+\ passed,\ \d+\ total             # jest
    | \s{0,8}Tests\s{2,8}[1-9]\d*\ passed\b                                           # vitest
    | \s{0,8}[1-9]\d*\ passing\b                                                      # mocha
    | \#\ fail\ 0\s*$                                                                 # node:test
    | test\ result:\ ok\.\ [1-9]                                                      # cargo test
    | ok\ \ ?\t\S                                                                     # go test
    | \[INFO\]\ BUILD\ SUCCESS\b | BUILD\ SUCCESSFUL\b                                # maven, gradle
    """,
    re.VERBOSE,
)
_RAN = re.compile(r"Ran [1-9]\d* tests? in ")
_COLOUR = re.compile(r"\x1b\[[\d;]{0,12}[mK]")


def read_output(text: str) -> bool | None:
    """Return False if a tool reports a failure, True if tests passed and none failed, or None if neither is certain."""
    passed = has_run = False
    for line in _list_lines(text):
        if _FAILED.match(line):
            return False
        has_run = has_run or _RAN.match(line) is not None
        found = _PASSED.match(line)
        passed = passed or (found is not None and (has_run or not found[0].startswith("OK")))
    return True if passed else None


def _list_lines(text: str) -> Iterable[str]:
    """Return the lines of the head and the tail; a line that is cut or long is no summary."""
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        lines = text.split("\n")
    else:
        lines = [*text[:HEAD_CHARS].split("\n")[:-1], *text[-TAIL_CHARS:].split("\n")[1:]]
    return [_COLOUR.sub("", line).rstrip("\r") for line in lines if 0 < len(line) <= _MAX_LINE_CHARS]
