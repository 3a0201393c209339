"""Read verdicts on the previous answer from the messages of users, and of tools that speak for them. Pure.

aider writes the results of edits, linters and tests into user messages, in frames of fixed words. A user's own words
count only if the message is short and begins with the verdict ("still wrong", "that works now").
"""

import re
from collections.abc import Sequence

from synth.feedback.program_output import read_output
from synth.feedback.verdict import Reading, Signal, Verdict

_HEAD_CHARS = 300
_MAX_WORDS_CHARS = 300  # a longer message describes the next task

_EDIT_FAILED = re.compile(
    r"""
      \#\ \d+\ SEARCH/REPLACE\ blocks?\ failed\ to\ match!            # aider, `diff`
    | UnifiedDiff(?:NoMatch|NotUnique):\ hunk\ failed\ to\ apply!     # aider, `udiff`
    | Error\ (?:parsing\ patch\ content|applying\ action)\b           # aider, `patch`
    | No\ filename\ provided\ before\ | Bad/missing\ filename\.       # aider, `whole` and `diff`
    | I\ didn't\ see\ any\ properly\ formatted\ edits\ in\ your\ reply
    """,
    re.VERBOSE,
)
_EDIT_APPLIED = re.compile(r"I committed the changes with git hash |I updated the files\.\s*$")
_LINTER = re.compile(r"\# Fix any errors below, if possible\.")
_UNDONE = re.compile(r"I did `git reset --hard HEAD~1` to discard the last edits\b")
_COMMAND = "I ran this command:\n"
_OUTPUT = "And got this output:\n"
_REMINDER = re.compile(r"\n\s*# ")  # the rules that aider puts behind the last message

_WRONG = re.compile(
    r"""
    (?:(?:no|nope|hm+|sorry|unfortunately|but)[,.!:]?\ )?
    (?:
      (?: (?:it|that|this|your\ \w{1,12}|the\ (?:build|code|error|tests?))(?:'s|\ is|\ are)?\ )?
      still\ (?: wrong | broken | incorrect | fail(?:ing|s)? | crashes | not\ (?:right|working|correct)
               | (?:does|did|do)(?:n't|\ not)\ (?:work|compile|pass|run)
               | (?:(?:get|getting|see|gives|shows)\ )?the\ same\ (?:error|problem|bug) )
    | (?:it|that|this)(?:'s|\ is)\ (?:wrong|incorrect|broken
        |not\ (?:right|correct|working|what\ I\ (?:asked|wanted|meant)))
    | (?:it|that|this|your\ \w{1,12})\ (?:does|did)(?:n't|\ not)\ (?:work|compile|run|help|fix\ \S)
    | wrong(?=[.!]|$)
    | same\ error(?:\ again)?(?=[.!:]|$)
    )\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_RIGHT = re.compile(
    r"""
    (?:(?:great|perfect|thanks|thank\ you|nice|yes|cool|ok|okay)[,.!]{0,2}\ )?
    (?: (?:(?:it|that|this)\ )?(?:now\ )?works(?:\ (?:now|great|perfectly|fine))?
      | (?:all\ )?(?:the\ )?tests\ (?:now\ )?pass(?:\ now)?
      | (?:that|this)\ fixed\ it )
    (?:[,.!]{1,2}\ ?(?:great|perfect|thanks|thank\ you|nice)?)?[.!]{0,3}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def read_user_messages(texts: Sequence[str]) -> list[Reading]:
    """Return the verdicts in the user messages behind an answer; the last message is the new request."""
    readings = [_read_frame(text, is_repeated=text in texts[:position]) for position, text in enumerate(texts)]
    if texts and readings[-1] is None:
        readings[-1] = _read_words(texts[-1]) or _find_repeated(texts)
    return [reading for reading in readings if reading is not None]


def _read_frame(text: str, *, is_repeated: bool) -> Reading | None:
    head = text[:_HEAD_CHARS].lstrip()
    if head.startswith(_COMMAND):
        passed = read_output(text.partition(_OUTPUT)[2])
        if is_repeated or passed is not None:
            return Reading(Verdict.RIGHT if passed and not is_repeated else Verdict.WRONG, Signal.TESTS)
        return None
    for pattern, verdict, signal in _FRAMES:
        if pattern.match(head):
            return Reading(verdict, signal)
    return None


_FRAMES = (
    (_EDIT_FAILED, Verdict.WRONG, Signal.EDIT_FAILED),
    (_LINTER, Verdict.WRONG, Signal.LINTER),
    (_UNDONE, Verdict.WRONG, Signal.USER),
    (_EDIT_APPLIED, Verdict.SEEMS_RIGHT, Signal.EDIT_APPLIED),
)


def _find_repeated(texts: Sequence[str]) -> Reading | None:
    """Return the failure of aider's own test command, even if its output is unknown.

    aider shows a failure twice: as a message of the conversation, and again as the next request, with its rules behind.
    The output of a command that the user ran is shown once.
    """
    last = texts[-1]
    if any(text.startswith(_COMMAND) and last.startswith(text.rstrip()) for text in texts[:-1]):
        return Reading(Verdict.WRONG, Signal.TESTS)
    return None


def _read_words(text: str) -> Reading | None:
    own = text[: _MAX_WORDS_CHARS * 2].strip()
    reminder = _REMINDER.search(own)
    own = own[: reminder.start()].rstrip() if reminder else own
    if len(own) > _MAX_WORDS_CHARS or (reminder is None and len(text) > _MAX_WORDS_CHARS * 2):
        return None
    if _WRONG.match(own):
        return Reading(Verdict.WRONG, Signal.USER)
    return Reading(Verdict.RIGHT, Signal.USER) if _RIGHT.fullmatch(own) else None
