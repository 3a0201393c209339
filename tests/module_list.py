"""Writes docs/modules.md: every module with the first sentence of its docstring (`python -m tests.module_list`)."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from tests.layering import LAYERS, sources

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "modules.md"
_HEAD = """\
# Modules

Every module of the product with the first sentence of its docstring; `python -m tests.module_list` writes this page.
[architecture.md](architecture.md) describes how they work together.
"""


def render() -> str:
    """Return the page for the modules as they are now."""
    by_package: dict[str, dict[str, str]] = defaultdict(dict)
    for path, source in sources(ROOT).items():
        by_package[path.parent.as_posix()][path.stem] = _first_sentence(path, source)
    return "\n".join([_HEAD, *_sections(by_package)])


def _sections(by_package: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    packages = sorted(by_package, key=lambda name: (-LAYERS.index(name.split("/")[0]) if name != "." else -99, name))
    for package in packages:
        modules = dict(by_package[package])
        about = modules.pop("__init__", "Composition and the command line.")
        yield f"## {'gateway.py' if package == '.' else f'{package}/'}\n\n{about}\n"
        yield "| module | purpose |\n|---|---|"
        yield from (f"| {name} | {sentence} |" for name, sentence in sorted(modules.items()))
        yield ""


def _first_sentence(path: PurePath, source: str) -> str:
    paragraph = (ast.get_docstring(ast.parse(source, str(path))) or "").split("\n\n")[0]
    sentence = re.split(r"(?<=\.)\s", " ".join(paragraph.split()))[0]
    return sentence.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
