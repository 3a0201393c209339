"""The pages' links, names and configurations are right."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from config.providers import PROVIDERS
from tests import module_list
from tests.config.loading import settings_of
from tests.processes import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.joinpath("docs").rglob("*.md")])
README = ROOT / "README.md"
FENCED = re.compile(r"^(```+)[\s\S]*?^\1", re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
TARGET = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
ELSEWHERE = re.compile(r"https?:")
WHOLE_MIB = 2**20


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    """Return a page without what is shown as code."""
    return CODE.sub("", FENCED.sub("", page.read_text(encoding="utf-8")))


def links(page: Path) -> list[str]:
    return [target for target in TARGET.findall(prose(page)) if not ELSEWHERE.match(target)]


def anchors(page: Path) -> set[str]:
    """Return what a link may have behind its `#`: headings as GitHub makes anchors of them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Each file is there, within the repository, and has the heading."""
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_found() -> None:
    """From README.md links lead to every page."""
    found: set[Path] = set()
    ahead = [README]
    while ahead:
        page = ahead.pop()
        found.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
        ahead += [target for target in targets - found - set(ahead) if target.suffix == ".md"]
    assert set(PAGES) <= found


def test_every_picture_is_shown() -> None:
    """Every picture is on a page, and none is too large."""
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    pictures = set(ROOT.joinpath("docs", "images").iterdir())
    assert pictures <= shown
    assert all(picture.stat().st_size < WHOLE_MIB for picture in pictures)


def test_the_module_list_is_up_to_date() -> None:
    """docs/modules.md has each module with its docstring's first sentence; `python -m tests.module_list` writes it."""
    assert module_list.PAGE.read_text(encoding="utf-8") == module_list.render()


@pytest.mark.parametrize("text", re.findall(r"^```yaml\n([\s\S]*?)^```", README.read_text("utf-8"), re.MULTILINE))
def test_configurations_of_the_readme_load(tmp_path: Path, text: str) -> None:
    """Each can be pasted as it stands, with a key in the environment."""
    assert settings_of(tmp_path, text, {"OPENROUTER_API_KEY": "a-key"}).mixtures


def test_commands_of_the_readme_are_there() -> None:
    """Each `make` that it shows is a target with a line in `make help`."""
    makefile = ROOT.joinpath("Makefile").read_text(encoding="utf-8")
    shown = set(re.findall(r"(?:^|`|\$ )make ([a-z]+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert {"run", "test", "doctor"} <= shown
    assert shown <= set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))


def test_keys_have_the_names_that_providers_give_them() -> None:
    """.env.example agrees with docs/configuration.md, so keys that are set already work."""
    names = re.findall(r"^(\w+)=$", ROOT.joinpath(".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert names
    assert set(names) <= {provider.key_variable for provider in PROVIDERS.values()}
