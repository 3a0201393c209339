"""The models' scripts while aider edits greeting.py: three drafts with different results, and a verdict."""

from collections.abc import Callable

from tests.clients.stage import Scene

NAME = "greeting.py"
BEFORE = 'def greet(name):\n    return "Hi " + name\n'
AFTER = 'def greet(name):\n    """Say \'h\u00e9llo\' & <b>more</b>."""\n    return f"Hello, {name}!\\n"\n'
ASKED = "Greet more politely, and say so in a docstring."
SUBJECT = "feat: greet politely"

_OTHERS = (
    'def greet(name):\n    return "Hello " + name\n',
    'def greet(name):\n    return "Good day, " + name\n',
    'def greet(name):\n    """Greet."""\n    return f"Hello, {name}"\n',
)
_FENCE = "```"


def _blocks(after: str) -> str:
    edit = f"<<<<<<< SEARCH\n{BEFORE}=======\n{after}>>>>>>> REPLACE\n"
    return f"Here is the change.\n\n{NAME}\n{_FENCE}python\n{edit}{_FENCE}\n"


def _whole(after: str) -> str:
    return f"Here is the file.\n\n{NAME}\n{_FENCE}\n{after}{_FENCE}\n"


def _edit(render: Callable[[str], str], cue: str = "") -> Scene:
    first, second, third = map(render, _OTHERS)
    return Scene(render(AFTER), (first, second, third), cue)


_COMMIT = Scene(SUBJECT, ("fix: greet", "chore: change a string", "feat: add a docstring"), cue="commit message")
_PLAN = Scene(
    "In greet(), add a docstring and return the greeting as an f-string.",
    ("Change the string.", "Use an f-string.", "Add a docstring."),
    cue="architect",
)

SCENES = {
    "diff": (_COMMIT, _edit(_blocks)),
    "whole": (_COMMIT, _edit(_whole)),
    "architect": (_COMMIT, _edit(_whole, cue="entire content"), _PLAN),
}
