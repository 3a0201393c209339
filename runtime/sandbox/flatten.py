"""Put a module and what it imports from its siblings into one source, for an interpreter that imports no files. Pure.

`from shop.cart import total` becomes the source of shop/cart.py, once, in its place. What cannot be put in place is
left as it is, and fails to be imported: `import shop.cart`, relative imports, imports inside functions.
"""

import ast
from collections.abc import Mapping

_MAX_CHARS = 200_000


def flatten(source: str, files: Mapping[str, str]) -> str:
    """Return the source with its siblings' sources in it; `files` are by relative path."""
    if not files:
        return source
    return _flatten(source, files, set())


def _flatten(source: str, files: Mapping[str, str], taken: set[str]) -> str:
    tree = _parse(source)
    if tree is None:
        return source
    lines = source.split("\n")
    for node in reversed(tree.body):
        if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
            continue
        path = _find_path(node.module, files)
        if path is None:
            continue
        inlined = [] if path in taken else [*_inline(files[path], files, taken | {path})]
        taken.add(path)
        renamed = [f"{each.asname} = {each.name}" for each in node.names if each.asname]
        lines[node.lineno - 1 : node.end_lineno] = [*inlined, *renamed]
    flat = "\n".join(lines)
    return flat if len(flat) <= _MAX_CHARS else source


def _inline(source: str, files: Mapping[str, str], taken: set[str]) -> list[str]:
    """Return the lines of a sibling, itself flattened; if it does not parse, lines that raise ImportError."""
    if _parse(source) is None:
        return ["raise ImportError('a sibling does not parse')"]
    return _flatten(source, files, taken).split("\n")


def _find_path(module: str, files: Mapping[str, str]) -> str | None:
    stem = module.replace(".", "/")
    return next((path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in files), None)


def _parse(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
