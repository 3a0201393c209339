"""No source breaks the rules of layering, and the check finds it if one does."""

from pathlib import Path, PurePath

import pytest

from tests.layering import LAYERS, sources, untested, violations

ROOT = Path(__file__).parent.parent


def test_no_source_breaks_the_layering() -> None:
    """No source file breaks a rule of layering."""
    found = [finding for path, source in sources(ROOT).items() for finding in violations(path, source)]
    assert found == []


def test_the_check_sees_every_layer() -> None:
    """The check above is not empty: each layer that has a package or a module is read."""
    seen = {path.parts[0].removesuffix(".py") for path in sources(ROOT)}
    assert seen >= {"config", "upstream", "synth", "handlers"}
    assert seen <= set(LAYERS)


def test_only_the_layers_sources_are_read(tmp_path: Path) -> None:
    """Sources are the layers' files at any depth, and no others."""
    for name in ("gateway.py", "config/deep/a.py", "config/b.txt", "tests/c.py", "d.py", ".venv/config/e.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    assert set(sources(tmp_path)) == {PurePath("gateway.py"), PurePath("config/deep/a.py")}


def test_every_module_has_tests_of_its_own() -> None:
    """tests/ mirrors the tree: who changes a module knows which file to run and to extend."""
    assert untested(ROOT) == []


def test_a_module_without_tests_is_found(tmp_path: Path) -> None:
    """Also if the file is there but empty, or in another folder; a package needs none for its `__init__.py`."""
    names = ("gateway", "config/__init__", "config/a", "synth/deep/b", "synth/deep/c", "upstream/d")
    tests = {
        "test_gateway": "async def test_x(): ...",
        "config/test_a": "x = 1",
        "synth/deep/test_b": "def test_x(): ...",
    }
    for name, text in {**dict.fromkeys(names, ""), **{f"tests/{name}": text for name, text in tests.items()}}.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "tests/test_d.py").write_text("def test_x(): ...")
    assert untested(tmp_path) == ["config/a.py", "synth/deep/c.py", "upstream/d.py"]


@pytest.mark.parametrize(
    ("path", "source", "finding"),
    [
        ("config/a.py", "import upstream", "config/a.py:1: config imports upstream"),
        ("upstream/a.py", "x = 1\nfrom synth.critic import ask", "upstream/a.py:2: upstream imports synth"),
        ("upstream/a.py", "def f():\n    import synth.critic as c", "upstream/a.py:2: upstream imports synth"),
        ("synth/a.py", "from ..handlers import chat", "synth/a.py:1: synth imports handlers"),
        ("synth/deep/a.py", "from ...handlers.chat import chat", "synth/deep/a.py:1: synth imports handlers"),
        ("handlers/a.py", "if TYPE_CHECKING:\n    from gateway import x", "handlers/a.py:2: handlers imports gateway"),
        ("config/a.py", "from tests.fakes import answer", "config/a.py:1: config imports tests"),
        ("synth/a.py", "from aiohttp import web", "synth/a.py:1: synth uses aiohttp.web"),
        ("upstream/a.py", "import aiohttp.web", "upstream/a.py:1: upstream uses aiohttp.web"),
        ("upstream/a.py", "from aiohttp.web import Request", "upstream/a.py:1: upstream uses aiohttp.web"),
        ("upstream/a.py", "from aiohttp.web_log import x", "upstream/a.py:1: upstream uses aiohttp.web"),
        ("upstream/a.py", "import aiohttp\naiohttp.web.run_app(x)", "upstream/a.py:2: upstream uses aiohttp.web"),
        (
            "handlers/a.py",
            "from aiohttp import ClientSession",
            "handlers/a.py:1: handlers uses aiohttp's client: ClientSession",
        ),
        (
            "gateway.py",
            "import aiohttp as a\nasync def f(): a.request('GET', '')",
            "gateway.py:2: gateway uses aiohttp's client: request",
        ),
        ("synth/a.py", "from aiohttp.client import x", "synth/a.py:1: synth uses aiohttp's client: client"),
        ("handlers/a.py", "from aiohttp import *", "handlers/a.py:1: handlers uses aiohttp's client: *"),
        ("upstream/a.py", "from aiohttp import *", "upstream/a.py:1: upstream uses aiohttp.web"),
        ("upstream/a.py", "import os\nos.environ['A']", "upstream/a.py:2: upstream reads the environment"),
        ("handlers/a.py", "from os import getenv as g", "handlers/a.py:1: handlers reads the environment"),
        ("synth/a.py", "import os as o\no.getenv('A')", "synth/a.py:2: synth reads the environment"),
        ("synth/a.py", "from upstream.sse import _x", "synth/a.py:1: upstream.sse._x is private to upstream"),
        ("synth/a.py", "from upstream._sse import x", "synth/a.py:1: upstream._sse.x is private to upstream"),
        (
            "synth/a.py",
            "from upstream import sse\nsse.Reader._x",
            "synth/a.py:2: upstream.sse.Reader._x is private to upstream",
        ),
        ("gateway.py", "import config.a\nconfig.a._x()", "gateway.py:2: config.a._x is private to config"),
        ("synth/utils.py", "", "synth/utils.py: 'utils' names no job"),
        ("upstream/pool_manager.py", "", "upstream/pool_manager.py: 'manager' names no job"),
        ("handlers/services/a.py", "", "handlers/services/a.py: 'services' names no job"),
    ],
)
def test_a_breach_is_found(path: str, source: str, finding: str) -> None:
    """Each rule finds what breaks it, however it is spelled, and says where."""
    assert violations(PurePath(path), source) == [finding]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("gateway.py", "import os\nfrom aiohttp import web\nimport config, handlers.chat, synth\nos.environ['A']"),
        ("handlers/a.py", "from aiohttp import hdrs, web\nfrom config.settings import Server\nweb.Request"),
        ("handlers/a.py", "import aiohttp\naiohttp.web.Response()"),
        ("synth/a.py", "from upstream.calls import Call\nfrom synth.critic import _x\nfrom . import _y\n_y._z"),
        ("upstream/a.py", "import aiohttp\nfrom .sse import _x\naiohttp.ClientSession()\nself._x"),
        ("config/a.py", "from os import environ\nimport os\nos.getenv('A')"),
        ("synth/a.py", "import os\nos.cpu_count()\nimport config\nconfig.__name__"),
        ("upstream/openai/wire.py", "import websynth, syntheses.handlers\nx.web\nenviron"),
    ],
)
def test_permitted_imports_are_not_reported(path: str, source: str) -> None:
    """What the rules allow is not reported."""
    assert violations(PurePath(path), source) == []
