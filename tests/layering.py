"""The rules of layering, checked on the sources: which layer may import and use what."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

LAYERS = ("config", "runtime", "store", "upstream", "synth", "handlers", "gateway")  # each imports only those before it

_SERVES_HTTP = {"gateway", "handlers"}
_CALLS_HTTP = {"upstream"}
_READS_ENVIRONMENT = {"gateway", "config"}
_ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}
_NEITHER_SIDE = {"hdrs", "http", "http_exceptions", "typedefs", "log", "__version__", "HttpVersion", "HttpVersion11"}
_NAMELESS = {"util", "utils", "helper", "helpers", "manager", "managers", "service", "services"}


def sources(root: Path) -> dict[PurePath, str]:
    """Return the layers' Python files below `root`, by their path from there."""
    files = [path for layer in LAYERS for path in (root / f"{layer}.py", *(root / layer).rglob("*.py"))]
    return {path.relative_to(root): path.read_text(encoding="utf-8") for path in files if path.is_file()}


def untested(root: Path) -> list[str]:
    """Return the modules below `root` without tests of their own: `a/b.py` needs a test in `tests/a/test_b.py`.

    A package's `__init__.py` is left out: it has a docstring, or names of its modules, and nothing to test.
    """
    modules = [path for path in sources(root) if path.name != "__init__.py"]
    return sorted(str(path) for path in modules if not _has_tests(root / "tests" / path.parent / f"test_{path.name}"))


def _has_tests(path: Path) -> bool:
    if not path.is_file():
        return False
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(function.name.startswith("test_") for function in functions)


def violations(path: PurePath, source: str) -> list[str]:
    """Return every breach of the rules in one file, as `path:line: finding`."""
    module = _module(path)
    layer = module[0]
    found = [f"{path}: {word!r} names no job" for word in _nameless(path)]
    for use in _uses(ast.parse(source, str(path)), module):
        found += [f"{path}:{use.line}: {finding}" for finding in _findings(layer, use.name)]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Use:
    """One absolute dotted name that the source imports, or reaches through something that it imported."""

    name: str
    line: int


def _findings(layer: str, name: str) -> Iterator[str]:
    top, *rest = name.split(".")
    if top == "tests":
        yield f"{layer} imports tests"
    if top in LAYERS and top != layer:
        if LAYERS.index(top) > LAYERS.index(layer):
            yield f"{layer} imports {top}"
        if any(part.startswith("_") and not part.endswith("__") for part in rest):
            yield f"{name} is private to {top}"
    if top == "aiohttp" and rest:
        yield from _http_findings(layer, rest[0])
    if ".".join(name.split(".")[:2]) in _ENVIRONMENT and layer not in _READS_ENVIRONMENT:
        yield f"{layer} reads the environment"


def _http_findings(layer: str, name: str) -> Iterator[str]:
    serves = name == "web" or name.startswith("web_")
    if (serves or name == "*") and layer not in _SERVES_HTTP:
        yield f"{layer} uses aiohttp.web"
    if not serves and name not in _NEITHER_SIDE and layer not in _CALLS_HTTP:
        yield f"{layer} uses aiohttp's client: {name}"


def _uses(tree: ast.Module, module: tuple[str, ...]) -> Iterator[_Use]:
    bound: dict[str, str] = {}  # local name -> absolute dotted name
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.split(".")[0]
                bound[local] = alias.name if alias.asname else local
                yield _Use(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, module)
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{origin}.{alias.name}"
                yield _Use(f"{origin}.{alias.name}", node.lineno)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (reached := _reached(node, bound)):
            yield _Use(reached, node.lineno)


def _origin(node: ast.ImportFrom, module: tuple[str, ...]) -> str:
    package = module[: len(module) - node.level] if node.level else ()
    return ".".join([*package, *filter(None, [node.module])])


def _reached(node: ast.Attribute, bound: dict[str, str]) -> str | None:
    names = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        names.append(value.attr)
        value = value.value
    if not isinstance(value, ast.Name) or value.id not in bound:
        return None
    return ".".join([bound[value.id], *reversed(names)])


def _module(path: PurePath) -> tuple[str, ...]:
    return path.with_suffix("").parts


def _nameless(path: PurePath) -> list[str]:
    return [word for part in _module(path) for word in part.lower().split("_") if word in _NAMELESS]
