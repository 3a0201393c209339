"""The pictures of docs/traces.md: `python -m tests.ui.screenshots docs/images` takes them anew."""

import asyncio
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.async_api import Page, async_playwright

from tests.ui.conftest import flags, program
from tests.ui.scene import QUESTION, Scene, grown, scene, script_slow_answer

N_MORE = 24  # requests, so that the statistics have something to tell


class Shot(NamedTuple):
    """One picture: its file, what it shows, in which colours and how large."""

    name: str
    path: str
    height: int
    width: int = 1200
    scheme: Literal["light", "dark"] = "light"


async def take(page: Page, used: Scene, folder: Path) -> list[Path]:
    """Take every picture, and return the files."""
    taken = [
        await _taken(page, used, folder, shot)
        for shot in (
            Shot("ui-list.png", "/ui", 560),
            Shot("ui-request.png", f"/ui/requests/{used.edit}", 1010),
            Shot("ui-candidates.png", f"/ui/requests/{used.edit}#candidates", 860),
            Shot("ui-dark.png", f"/ui/requests/{used.fuse}", 1000, scheme="dark"),
        )
    ]
    taken.append(await _ask(page, used, folder))
    await grown(used, N_MORE)
    return [*taken, await _taken(page, used, folder, Shot("ui-models.png", "/ui/models?mixture=mom", 870, 1320))]


async def _taken(page: Page, used: Scene, folder: Path, shot: Shot) -> Path:
    await page.set_viewport_size({"width": shot.width, "height": shot.height})
    await page.emulate_media(color_scheme=shot.scheme)
    await page.goto(used.gateway.url + shot.path)
    await page.screenshot(path=folder / shot.name)
    return folder / shot.name


async def _ask(page: Page, used: Scene, folder: Path) -> Path:
    """Take the page of a question while the critic writes."""
    await page.set_viewport_size({"width": 1200, "height": 1240})
    await page.emulate_media(color_scheme="light")
    await page.goto(f"{used.gateway.url}/ui/ask")
    script_slow_answer(used)
    await page.get_by_label("Question").fill(QUESTION)
    await page.locator("select[name=mode]").select_option("fuse")
    await page.get_by_role("button", name="Ask").click()
    await page.locator("#answer", has_text="With chaining").wait_for()
    await page.screenshot(path=folder / "ui-ask.png")
    return folder / "ui-ask.png"


async def main(folder: Path) -> None:
    """Take the pictures of a gateway of our own."""
    async with scene() as used, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(), args=flags())
        await take(await browser.new_page(), used, folder)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
