"""Name the kind of task of a request: the form of its answer, the language of its code, the client API. Pure."""

import re
from collections import Counter
from collections.abc import Sequence

from synth.contract.contract import Contract
from synth.request import Message, start_of

NO_LANGUAGE = "-"

_MAX_CHARS = 500  # of the last question: it names languages and files at its beginning, or code follows soon
_EXTENSIONS = {
    "py": "python", "pyi": "python", "js": "javascript", "mjs": "javascript", "jsx": "javascript", "ts": "typescript",
    "tsx": "typescript", "rs": "rust", "go": "go", "java": "java", "kt": "kotlin", "c": "c", "h": "c", "cc": "c++",
    "cpp": "c++", "hpp": "c++", "cs": "c#", "rb": "ruby", "php": "php", "swift": "swift", "scala": "scala",
    "sh": "shell", "bash": "shell", "sql": "sql", "html": "html", "css": "css", "lua": "lua", "ex": "elixir",
    "hs": "haskell", "md": "markdown", "yaml": "yaml", "yml": "yaml", "toml": "toml", "json": "json",
}  # fmt: skip
_WORDS = ("python", "javascript", "typescript", "rust", "golang", "java", "kotlin", "c++", "c#", "ruby", "php", "scala",
          "bash", "sql", "lua", "elixir", "haskell")  # fmt: skip
"""Names of languages; those that are words of prose as well (go, c, swift) do not count."""
_SYNONYMS = {"golang": "go", "bash": "shell", "cpp": "c++"}
_LANGUAGES = frozenset(_EXTENSIONS.values())
_FENCE = re.compile(r"(?:```|~~~) ?([a-z+#]{1,12})\b")
_FILE_NAME = re.compile(r"\.([a-z]{1,5})\b")


def name_kind(contract: Contract, messages: Sequence[Message], api: str) -> str:
    """Return a request's kind: `edits python chat`. It follows from the request alone."""
    return f"{contract.form.value} {_find_language(contract, messages)} {api}"


def _find_language(contract: Contract, messages: Sequence[Message]) -> str:
    """Return the language of the files that are shown, or the first one that the last question names."""
    extensions = Counter(path.rpartition(".")[2].lower() for path in contract.workspace.files)
    known = [extension for extension, _ in extensions.most_common() if extension in _EXTENSIONS]
    if known:
        return _EXTENSIONS[known[0]]
    for message in reversed(messages):
        if message.get("role") == "user":
            return _find_first_sign(start_of(message.get("content"), _MAX_CHARS))
    return NO_LANGUAGE


def _find_first_sign(text: str) -> str:
    """Return the language of the first sign: a fence's word, a file's extension, or a language's name."""
    # Searched one by one: most questions have none of the signs, and a single pattern of all of them is tried at every
    # character, which takes twenty times as long.
    text = text.lower()
    signs = [(found.start(), word) for word in _WORDS if word in text and (found := _find_word(text, word))]
    if ("```" in text or "~~~" in text) and (fence := _FENCE.search(text)):
        signs.append((fence.start(), fence[1]))
    signs += [(found.start(), found[1]) for found in _FILE_NAME.finditer(text) if found[1] in _EXTENSIONS][:1]
    if not signs:
        return NO_LANGUAGE
    for _, sign in sorted(signs):
        name = _EXTENSIONS.get(sign, _SYNONYMS.get(sign, sign))
        if name in _LANGUAGES:
            return name
    return NO_LANGUAGE


def _find_word(text: str, word: str) -> re.Match[str] | None:
    return re.search(rf"(?<!\w){re.escape(word)}(?![\w+#])", text)
