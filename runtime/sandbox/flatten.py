"""Put a module and what it imports from its siblings into one source, for an interpreter that imports no files. Pure.

`from shop.cart import total` becomes the source of shop/cart.py, once, in its place; `import cart` and
`from shop import cart` make an object besides, which has the module's names. What cannot be put in place is left as it
is, and fails to be imported: `import shop.cart`, relative imports, imports inside functions. So is everything if one
module would change another by it: they share their names then, which modules of their own do not.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

_MAX_CHARS = 200_000


def flatten(source: str, files: Mapping[str, str]) -> str:
    """Return the source with its siblings' sources in it; `files` are by relative path."""
    if not files:
        return source
    taken: set[str] = set()
    flat = _flatten(source, files, taken)
    trees = [tree for text in (source, *(files[path] for path in taken)) if (tree := _parse(text)) is not None]
    return source if _share_names(trees) or _change_objects(trees, files) else flat


def _share_names(trees: Sequence[ast.Module]) -> bool:
    """Whether one of the modules uses a name of its own that another defines as well."""
    defined = [_list_defined(tree) for tree in trees]
    for number, tree in enumerate(trees):
        others = {name for index, names in enumerate(defined) if index != number for name in names}
        shared = defined[number] & others
        if shared and any(
            isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in shared
            for node in ast.walk(tree)
        ):
            return True
    return False


def _list_defined(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            found |= {
                each.id for each in ast.walk(node) if isinstance(each, ast.Name) and each.ctx.__class__ is ast.Store
            }
    return found


def _change_objects(trees: Sequence[ast.Module], files: Mapping[str, str]) -> bool:
    """Whether the object made for a module would differ from it: someone sets a name of it, or it does so itself."""
    objects = {name for tree in trees for name in _list_objects(tree, files)}
    if not objects:
        return False
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return any(isinstance(node, ast.Global) for node in nodes) or any(
        isinstance(node, ast.Attribute)
        and not isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id in objects
        for node in nodes
    )


def _list_objects(tree: ast.Module, files: Mapping[str, str]) -> Iterator[str]:
    """Yield the names that stand for modules among the files."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            yield from (each.asname or each.name for each in node.names if _find_path(prefix + each.name, files))


def _flatten(source: str, files: Mapping[str, str], taken: set[str]) -> str:
    """Return the source with siblings in place of their imports; `taken` are those in place already, also elsewhere.

    In the order in which they run: the first import of a sibling brings its source, later ones only names.
    """
    tree = _parse(source)
    if tree is None:
        return source
    lines, n_done = source.split("\n"), 0
    flat: list[str] = []
    used = Counter(line for node in tree.body for line in {node.lineno, node.end_lineno})
    for node in tree.body:
        is_alone = used[node.lineno] == used[node.end_lineno] == 1  # not so: `import cart; cart.fill()`
        replaced = _replace_import(node, files, taken) if is_alone else None
        if replaced is not None:
            flat += [*lines[n_done : node.lineno - 1], *replaced]
            n_done = node.end_lineno or node.lineno
    joined = "\n".join([*flat, *lines[n_done:]])
    return joined if len(joined) <= _MAX_CHARS else source


def _replace_import(node: ast.stmt, files: Mapping[str, str], taken: set[str]) -> list[str] | None:
    """Return the lines in place of an import of siblings, or None for any other statement."""
    if isinstance(node, ast.Import):
        modules = {each.asname or each.name: each.name for each in node.names if "." not in each.name}
        is_whole = len(modules) == len(node.names) and all(_find_path(name, files) for name in modules.values())
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        modules = {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        is_whole = all(_find_path(name, files) for name in modules.values())
    else:
        return None
    if is_whole:
        return [line for name, module in modules.items() for line in _make_object(name, module, files, taken)]
    if isinstance(node, ast.ImportFrom) and (path := _find_path(node.module or "", files)):
        renamed = [f"{each.asname} = {each.name}" for each in node.names if each.asname]
        return [*_take(path, files, taken), *renamed]
    return None


def _take(path: str, files: Mapping[str, str], taken: set[str]) -> list[str]:
    """Return the lines of a sibling, none if it is in the source already."""
    if path in taken:
        return []
    taken.add(path)
    return _inline(files[path], files, taken)


def _make_object(name: str, module: str, files: Mapping[str, str], taken: set[str]) -> list[str]:
    """Return the lines of a sibling, and those that make an object with its names."""
    path = _find_path(module, files)
    source = files[path] if path else ""
    made = [f"class Module_{name}: pass", f"made_{name} = Module_{name}()"]
    made += [f"made_{name}.{each} = {each}" for each in _list_names(source)]
    return [*(_take(path, files, taken) if path else ()), *made, f"{name} = made_{name}"]


def _list_names(source: str) -> list[str]:
    """Return the names that a module defines at its top level."""
    tree = _parse(source)
    found: dict[str, None] = {}
    for node in () if tree is None else tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = None
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                found[name] = None
    return list(found)


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
