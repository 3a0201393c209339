"""The recipe for a new mode in docs/architecture.md works as written."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import get_args

import pytest

from config.settings import Mode
from synth.mixture import MODES
from tests.fakes import FakeUpstream, answer, status
from tests.running import ask, model, running, settings

PAGE = Path(__file__).parents[1].joinpath("docs", "architecture.md").read_text(encoding="utf-8")
(SOURCE,) = re.findall(r"```python\n(.*?)```", PAGE.split("\n## A mode of synthesis\n")[1], re.DOTALL)


def test_every_mode_has_a_name_and_a_function() -> None:
    """The names in config.yaml are those of the functions, and `auto`, which chooses one."""
    assert set(get_args(Mode)) == {"auto", *MODES}


@pytest.fixture
def shortest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add the mode of the page: its file, and its entry."""
    path = tmp_path / "shortest.py"
    path.write_text(SOURCE)
    spec = spec_from_file_location("shortest", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(MODES, "shortest", module.shortest)
    return "shortest"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_mode_is_a_file_and_an_entry(upstream: FakeUpstream, shortest: str, stream: bool) -> None:
    """The page's mode answers, in both forms of reply."""
    upstream.script("a", answer("a long answer"))
    upstream.script("b", answer("short"))
    async with running(settings([model(name, upstream) for name in "ab"], mode=shortest)) as gateway:
        reply = await gateway.chat(ask(stream=stream))
    assert (reply.streamed() if stream else reply.text) == "short"
    assert len(upstream.requests) == 2


async def test_a_mode_may_lead_to_another(upstream: FakeUpstream, shortest: str) -> None:
    """Here to the critic alone, because there is no candidate."""
    upstream.script("a", status(500))
    upstream.script("c", answer("alone"))
    models = [model(name, upstream, retries=0) for name in "ca"]
    async with running(settings(models, panel=("a",), mode=shortest)) as gateway:
        reply = await gateway.chat()
    assert (reply.text, reply.headers["x-mom-mode"]) == ("alone", "shortest")
