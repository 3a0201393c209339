"""Lists the tests near to what has changed since `main`: `make check` runs these, CI all.

Near are the tests of a changed module, those that import it directly, those beside a changed data file, changed tests,
and in any case the few that run the whole gateway or check the tree as a whole. All of them if the tests' own tools
changed. `python -m tests.changed` prints them.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
ALWAYS = (
    "tests/config/test_documentation.py",
    "tests/test_docs.py",
    "tests/test_end_to_end.py",
    "tests/test_gateway.py",
    "tests/test_layering.py",
    "tests/test_tools.py",
)
_FOR_OTHER_FILES = {
    "deploy": ("tests/test_deploy.py", "tests/test_monitoring.py"),
    "Dockerfile": ("tests/test_deploy.py",),
    ".dockerignore": ("tests/test_deploy.py",),
    "config.yaml": ("tests/test_shipped_config.py", "tests/test_deploy.py"),
    "pyproject.toml": ("tests/test_installed.py",),
    "requirements.txt": ("tests/test_installed.py", "tests/test_deploy.py"),
}


def select(changed: Iterable[str], sources: Mapping[str, str]) -> list[str]:
    """Return the test files to run; paths are relative, `sources` are all Python files with their text.

    ["tests"] if a file changed that any test may use.
    """
    paths = {PurePosixPath(path) for path in changed}
    if any(_is_for_all_tests(path) for path in paths):
        return ["tests"]
    tests = {path for path in sources if path.startswith("tests/") and PurePosixPath(path).name.startswith("test_")}
    modules = {_module_of(path) for path in paths if path.suffix == ".py"}
    found = {*ALWAYS, *map(str, paths)}
    found |= {path for path in tests if modules & set(_list_imports(sources[path]))}
    for path in paths:
        found.add(str("tests" / path.parent / f"test_{path.name}"))
        found |= set(_FOR_OTHER_FILES.get(path.parts[0], ()))
        if path.suffix not in (".py", ".md"):
            found |= {test for test in tests if PurePosixPath(test).parent == "tests" / path.parent}
    return sorted(found & tests)


def _is_for_all_tests(path: PurePosixPath) -> bool:
    is_helper = path.parts[0] == "tests" and path.suffix == ".py" and not path.name.startswith("test_")
    return (is_helper and len(path.parts) == 2) or path.parts[:2] == ("tests", "fakes")


def _module_of(path: PurePosixPath) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _list_imports(source: str) -> Iterator[str]:
    """Yield each module that a source imports, and each name of a module as if it were one itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_changed() -> list[str]:
    """Return the files that differ from where this branch left `main`, and those that git does not know yet."""
    base = _run_git("merge-base", "HEAD", "main") or ["HEAD"]
    return [*_run_git("diff", "--name-only", base[0]), *_run_git("ls-files", "--others", "--exclude-standard")]


def _run_git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def main() -> None:
    """Print the test files, separated by blanks."""
    files = _run_git("ls-files", "--cached", "--others", "--exclude-standard", "*.py")
    sources = {path: (ROOT / path).read_text(encoding="utf-8") for path in files if (ROOT / path).is_file()}
    sys.stdout.write(" ".join(select(find_changed(), sources)) + "\n")


if __name__ == "__main__":
    main()
