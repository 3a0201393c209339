"""The trace pages in a real browser."""

import asyncio
import json
import re
import shlex
import shutil
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request, ViewportSize, expect

from handlers.traces import schema
from synth.request import text_of
from tests import test_evidence as evidence
from tests.fakes import FakeUpstream, answer, hang
from tests.handlers.traces.samples import fill_folder, sample
from tests.running import ask, running
from tests.ui.conftest import Open
from tests.ui.hostile import hostile_traces
from tests.ui.scene import FUSED, HOSTILE, PANEL, QUESTION, Scene, configured, kept, script_slow_answer
from tests.ui.screenshots import take

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PHONE: ViewportSize = {"width": 390, "height": 844}

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


async def faults(page: Page) -> list[str]:
    """Return the accessibility problems that axe-core finds on the page."""
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {violation['help']}: {violation['nodes'][0]['html'][:200]}"
        for violation in found["violations"]
    ]


async def unfold(page: Page) -> None:
    """Open every part of a page that is folded."""
    await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


async def test_from_the_list_to_a_diff(used: Scene, opened: Open) -> None:
    """A request is found by its text and opened by the keyboard; its attempts and its file's diff are there."""
    page = await opened(f"{used.gateway.url}/ui", timezone_id="Europe/Berlin")
    await expect(page.get_by_role("row")).to_have_count(10)
    await page.get_by_label("Question, answer or id").fill("discount")
    await page.keyboard.press("Enter")
    await expect(page.locator("caption")).to_have_text("1 of 9 kept, newest first; times in Europe/Berlin")
    await page.get_by_role("row").nth(1).get_by_role("link").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("code · select")
    waterfall = page.get_by_role("group", name="Waterfall of calls and attempts")
    for text in ("✕ server error 500", "attempt 2, hedge", "✕ rate limited 429", "⊘ cancelled"):
        await expect(waterfall.get_by_text(text).first).to_be_visible()
    await expect(waterfall.locator("rect.waiting").first).to_be_visible()
    diff = page.get_by_role("group", name="The answer, orders/totals.py")
    await expect(diff.locator("tr.add")).to_have_count(3)
    await expect(diff.locator("ins").first).to_have_text("* line.quantity")


async def test_the_answer_beside_a_candidate(used: Scene, opened: Open) -> None:
    """The critic's changes, under the candidate's name and letter."""
    page = await opened(f"{used.gateway.url}/ui/requests/{used.fuse}")
    other = page.locator("details", has=page.get_by_role("group", name="From deep to the answer", include_hidden=True))
    await other.locator("summary").click()
    await expect(other.locator("ins")).to_have_text("often 0.75,")
    await expect(page.get_by_role("article", name="deep").get_by_text("shown as")).to_be_visible()


async def test_two_orders_of_a_critic_are_distinguished(used: Scene, opened: Open) -> None:
    """On its cards, in the waterfall and in the ledger."""
    page = await opened(f"{used.gateway.url}/ui/requests/{used.edit}")
    for order in ("critic, order 1", "critic, order 2"):
        await expect(page.get_by_role("article", name=f"wise {order}")).to_be_visible()
        await expect(page.get_by_role("group", name="Waterfall").get_by_text(order)).to_be_visible()
        await expect(page.get_by_role("group", name="Ledger").get_by_text(order)).to_be_visible()


async def test_a_revision_and_a_checkers_output_are_shown(opened: Open, tmp_path: Path) -> None:
    """The revision as a difference from its draft; the failed example and the checker's words on the card."""
    standing = schema.Standing(
        "a", finding="passes 1 of 2 examples; fails `f(2) == 4`: gave 5", output="1 failed", failed="f"
    )
    trace = sample(
        "chatcmpl-reviewed",
        candidates=[schema.Candidate(model="a", text="one", finding=None)],
        evidence=schema.Evidence(by="checker", n_ran=1, run_s=2.0, standings=[standing]),
        verifications=[schema.Verification(model="b", draft="It is four.\n", revision="It is five.\n", revised=True)],
    )
    fill_folder(tmp_path, trace)
    async with FakeUpstream() as upstream, running(configured(upstream), trace_dir=tmp_path) as gateway:
        page = await opened(f"{gateway.url}/ui/requests/{trace.id}")
        diff = page.get_by_role("group", name="From the draft to the revision")
        await expect(diff.locator("del")).to_have_text("four")
        await expect(diff.locator("ins")).to_have_text("five")
        card = page.get_by_role("article", name="a", exact=True)
        await expect(card).to_contain_text("When run: passes 1 of 2 examples; fails `f(2) == 4`: gave 5")
        await card.get_by_text("The end of the checker's output").click()
        await expect(card.get_by_role("group", name="a, output of the checker")).to_have_text("1 failed")
        await expect(page.get_by_text("1 candidate run in 2.00 s. Ranked by the checker.")).to_be_visible()


async def test_texts_can_be_copied(used: Scene, opened: Open) -> None:
    """The question, the answer as it was written, and the request as a curl command."""
    page = await opened(
        f"{used.gateway.url}/ui/requests/{used.fuse}", permissions=["clipboard-read", "clipboard-write"]
    )
    copied: dict[str, str] = {}
    for name in ("Copy the question", "Copy the answer", "Copy as curl"):
        button = page.get_by_role("button", name=name, exact=True)
        await button.click()
        await expect(button).to_have_text("Copied")
        copied[name] = await page.evaluate("navigator.clipboard.readText()")
    assert copied["Copy the question"] == QUESTION
    assert copied["Copy the answer"] == FUSED
    words = shlex.split(copied["Copy as curl"])
    assert words[1] == f"{used.gateway.url}/v1/chat/completions"
    assert json.loads(words[-1])["messages"] == [{"role": "user", "content": QUESTION}]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_a_copied_command_runs_as_pasted(used: Scene, opened: Open, path: str) -> None:
    """Whatever a shell would make of the question's characters, the same question arrives again."""
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    question = 'It\'s "quoted": $HOME `id` $(id) !! \\n \\\nsecond line\tÉ \x7f\u2028\u202e\U0001f600 unmistakable'
    used.upstream.script("swift", answer("Once."), answer("Once more."))
    asked = ask(question, model="swift", max_tokens=99)
    assert (await used.gateway.request("POST", path, json=asked)).status == 200
    await kept(used.gateway, 10)
    page = await opened(f"{used.gateway.url}/ui?q=unmistakable", permissions=["clipboard-read", "clipboard-write"])
    await page.get_by_role("row").nth(1).get_by_role("link").click()
    await page.get_by_role("button", name="Copy as curl").click()
    await expect(page.get_by_role("button", name="Copy as curl")).to_have_text("Copied")
    command: str = await page.evaluate("navigator.clipboard.readText()")
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "--norc",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    printed, _ = await shell.communicate(f"{command}\n".encode())
    assert json.loads(printed)["choices"][0]["message"]["content"] == "Once more."
    first, second = used.upstream.requests_for("swift")[-2:]
    assert second.body["messages"] == first.body["messages"]
    assert text_of(second.body["messages"][-1]["content"]) == question


async def test_the_question_comes_first(used: Scene, opened: Open) -> None:
    """Then the answer, as rendered Markdown, then how long all took."""
    page = await opened(f"{used.gateway.url}/ui/requests/{used.fuse}")
    headings = await page.get_by_role("heading", level=2).all_inner_texts()
    assert headings[:4] == ["Question", "Answer", "Time", "Candidates"]
    await expect(page.get_by_role("group", name="The answer", exact=True).locator("p").first).to_contain_text("A hash")


async def test_the_filter_narrows_by_choice(used: Scene, opened: Open) -> None:
    """By outcome; one click shows all again."""
    page = await opened(f"{used.gateway.url}/ui")
    await page.get_by_label("Outcome").select_option("cancelled")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_role("row")).to_have_count(2)
    await page.get_by_role("link", name="Show all").click()
    await expect(page.get_by_role("row")).to_have_count(10)


async def test_the_list_is_live(used: Scene, opened: Open) -> None:
    """A new request appears and is announced; focus and typed text stay. When paused, the page sends nothing."""
    page = await opened("about:blank")
    await page.clock.install()
    await page.goto(f"{used.gateway.url}/ui")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "part=list" in request.url else None)
    link = page.get_by_role("row").nth(3).get_by_role("link")
    name = await link.get_attribute("id")
    await page.get_by_label("Question, answer or id").fill("half a wor")
    await link.focus()
    used.upstream.script("swift", answer("Here."))
    await used.gateway.chat(ask("Are you still there?", model="swift"))
    await page.clock.run_for(2100)
    await expect(page.get_by_role("row")).to_have_count(11)
    await expect(page.get_by_role("status")).to_contain_text("One new request, ")
    await expect(page.locator(f"#{name}")).to_be_focused()
    await expect(page.get_by_label("Question, answer or id")).to_have_value("half a wor")
    pause = page.get_by_role("button", name="Pause live updates")
    await pause.click()
    await expect(pause).to_have_attribute("aria-pressed", "true")
    n_asked = len(asked)
    await page.clock.run_for(20_000)
    assert len(asked) == n_asked > 0


async def test_times_are_in_the_zone_of_the_reader(used: Scene, opened: Open) -> None:
    """The same instant, nine hours apart."""
    shown = []
    for zone in ("UTC", "Asia/Tokyo"):
        page = await opened(f"{used.gateway.url}/ui", timezone_id=zone)
        shown.append(datetime.fromisoformat(await page.locator("tbody time").first.inner_text()))
    assert shown[1] - shown[0] == timedelta(hours=9)


@pytest.mark.parametrize("path", ["", "/ask", "/models", "/usage", "/requests/{edit}", "/requests/{fuse}"])
async def test_a_phone_needs_no_sideways_scrolling(used: Scene, opened: Open, path: str) -> None:
    """Every page at 390 pixels, with every part of it unfolded; wide tables scroll by themselves."""
    page = await opened(f"{used.gateway.url}/ui{path.format(edit=used.edit, fuse=used.fuse)}", viewport=PHONE)
    await unfold(page)
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 900}], ids=["phone", "desktop"])
async def test_hostile_traces_neither_run_nor_break_the_layout(
    opened: Open, tmp_path: Path, size: ViewportSize
) -> None:
    """Whatever a trace says, nothing of it is HTML, and nothing makes a page wider."""
    traces = hostile_traces()
    fill_folder(tmp_path, *traces)
    async with FakeUpstream() as upstream, running(configured(upstream), trace_dir=tmp_path) as gateway:
        page = await opened("about:blank", viewport=size)
        found: list[str] = []
        for path in ("", "/models", "/usage", *(f"/requests/{each.id}" for each in traces)):
            await page.goto(f"{gateway.url}/ui{path}")
            await unfold(page)
            if await page.evaluate("document.documentElement.scrollWidth") > size["width"]:
                found.append(f"{path}: too wide")
            if await page.evaluate("'owned' in window || document.querySelector('img, main script') !== null"):
                found.append(f"{path}: runs what it shows")
    assert found == []


async def test_the_question_is_in_the_list_on_a_phone(used: Scene, opened: Open) -> None:
    """Complete, and first in its row."""
    page = await opened(f"{used.gateway.url}/ui", viewport=PHONE)
    row = page.get_by_role("row").filter(has_text=QUESTION)
    question = await row.get_by_text(QUESTION).bounding_box()
    time = await row.locator("time").bounding_box()
    assert question is not None
    assert time is not None
    assert question["x"] + question["width"] <= PHONE["width"]
    assert question["y"] < time["y"]


async def test_a_running_request_is_live(used: Scene, opened: Open) -> None:
    """It appears with its members while it runs, and goes when it has ended."""
    page = await opened("about:blank")
    await page.clock.install()
    await page.goto(f"{used.gateway.url}/ui")
    used.upstream.default = hang()
    for name in PANEL:
        used.upstream.script(name, hang())
    n_before = len(used.upstream.requests)
    asking = asyncio.create_task(used.gateway.chat(ask("What is running?")))
    await used.upstream.wait_for(n_before + len(PANEL))
    await page.clock.run_for(1100)
    running = page.get_by_role("region", name="Running now: 1")
    await expect(running.get_by_text("What is running?")).to_be_visible()
    await expect(running.get_by_text("waiting")).to_have_count(len(PANEL))
    assert await faults(page) == []
    asking.cancel()
    await used.upstream.wait_idle()
    await page.clock.run_for(1100)
    await expect(page.get_by_role("region", name="Running now")).to_have_count(0)


async def test_a_question_is_answered_side_by_side(used: Scene, opened: Open) -> None:
    """Members write at the same time, then the critic; hostile text stays text; the trace is one click away."""
    page = await opened(f"{used.gateway.url}/ui/ask")
    used.upstream.default = hang()
    script_slow_answer(used)
    await page.get_by_label("Question").fill(QUESTION)
    await page.locator("select[name=mode]").select_option("fuse")
    await page.get_by_role("button", name="Ask").click()
    members = page.get_by_role("article")
    await expect(members).to_have_count(len(PANEL))
    await expect(page.get_by_text("✎ writing").first).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("Done.")
    await expect(page.get_by_role("article", name="deep").get_by_text("✓ answered")).to_be_visible()
    await expect(page.get_by_role("article", name="broad")).to_contain_text("✕ rejected")
    await expect(page.get_by_role("group", name="Text of tiny")).to_contain_text(HOSTILE)
    await expect(page.get_by_role("group", name="The answer")).to_have_text(FUSED)
    await expect(page.get_by_text("By wise: critic.")).to_be_visible()
    assert await page.locator("img").count() == 0
    assert await faults(page) == []
    await page.get_by_role("link", name="Open the request").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("mom · fuse")


async def test_panel_and_critic_can_be_picked(used: Scene, opened: Open) -> None:
    """For one question: only what differs from the configuration is sent, and the trace says so."""
    page = await opened(f"{used.gateway.url}/ui/ask")
    panel = page.get_by_role("group", name="Panel")
    await expect(panel.get_by_role("checkbox", checked=True)).to_have_count(len(PANEL))
    for name in ("swift", "tiny", "wise"):
        await panel.get_by_label(name).click()
    await page.get_by_label("Critic").select_option("no critic")
    await page.locator("select[name=mode]").select_option("first")
    used.upstream.script("deep", answer("From the deep."))
    used.upstream.script("broad", answer("From afar."))
    used.upstream.script("wise", answer("From above."))
    question = page.get_by_label("Question")
    await question.fill("Who speaks?")
    await question.press("Control+Enter")
    await expect(page.get_by_role("status")).to_have_text("Done.")
    cards = [await each.inner_text() for each in await page.get_by_role("article").get_by_role("heading").all()]
    assert cards == ["deep", "broad", "wise"]
    await page.get_by_role("link", name="Open the request").click()
    await expect(page.get_by_role("group", name="Steered by the request")).to_contain_text('"critic": false')
    await expect(page.get_by_role("group", name="Steered by the request")).to_contain_text('"wise"')
    await page.goto(f"{used.gateway.url}/ui/ask")
    await page.get_by_label("Mixture or model").select_option("swift")
    await expect(panel).to_be_hidden()
    await expect(page.get_by_label("Critic")).to_be_hidden()


@pytest.mark.parametrize("stages", [(), (1, 1)], ids=["at once", "in stages"])
async def test_evidence_appears_beside_the_members(opened: Open, tmp_path: Path, stages: tuple[int, ...]) -> None:
    """What running each showed, while the question is answered; a member that was not needed says so."""
    async with FakeUpstream() as upstream:
        config = evidence.config(upstream, evidence.RIGHT, evidence.WRONG, stages=stages)
        async with running(config, trace_dir=tmp_path) as gateway:
            page = await opened(f"{gateway.url}/ui/ask")
            await page.get_by_label("Question").fill(evidence.QUESTION)
            await page.get_by_role("button", name="Ask").click()
            await expect(page.get_by_role("status")).to_have_text("Done.")
            await expect(page.get_by_role("article", name="a").get_by_text("When run: passes")).to_be_visible()
            other = page.get_by_role("article", name="b")
            await expect(other).to_contain_text("⊘ not needed" if stages else "When run: passes 1 of 2")
            assert await faults(page) == []


async def test_an_error_is_said_in_the_gateways_words(used: Scene, browser: Browser) -> None:
    """A panel may be left empty, but not for a mode that needs one."""
    page = await browser.new_page()
    await page.goto(f"{used.gateway.url}/ui/ask")
    panel = page.get_by_role("group", name="Panel")
    for name in PANEL:
        await panel.get_by_label(name).uncheck()
    await page.locator("select[name=mode]").select_option("select")
    await page.get_by_label("Question").fill("Who speaks?")
    await page.get_by_role("button", name="Ask").click()
    await expect(page.get_by_role("status")).to_contain_text("Failed: mom.mode: must be direct or left out")
    await expect(page.get_by_role("link", name="Open the request")).to_be_hidden()


async def test_a_question_can_be_stopped(used: Scene, opened: Open) -> None:
    """Then its calls are cancelled, and the next one can be asked."""
    page = await opened(f"{used.gateway.url}/ui/ask")
    used.upstream.default = hang()
    for name in PANEL:
        used.upstream.script(name, hang(), answer("Here."))
    n_before = len(used.upstream.requests)
    await page.get_by_label("Question").fill("Is anybody there?")
    await page.keyboard.press("Tab")
    await page.get_by_role("button", name="Ask").click()
    await used.upstream.wait_for(n_before + len(PANEL))
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("status")).to_have_text("Stopped.")
    await used.upstream.wait_idle()
    await page.get_by_label("Mixture or model").select_option("swift")
    await page.get_by_role("button", name="Ask").click()
    await expect(page.get_by_role("group", name="The answer")).to_have_text("Here.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(used: Scene, opened: Open, scheme: str) -> None:
    """On every page, with every part of it unfolded, in both colour schemes."""
    paths = ("", "/ask", "/models", "/usage", f"/requests/{used.edit}", f"/requests/{used.fuse}", "?q=nothing")
    page = await opened("about:blank", color_scheme=scheme)
    found: list[str] = []
    for path in paths:
        await page.goto(f"{used.gateway.url}/ui{path}")
        await unfold(page)
        found += [f"/ui{path}: {fault}" for fault in await faults(page)]
    assert found == []


async def test_error_pages_are_pages(used: Scene, browser: Browser) -> None:
    """They fit a phone, axe finds nothing, and they lead back."""
    page = await browser.new_page(viewport=PHONE)
    for path in ("/requests/req-0123456789", f"/requests/{'x' * 500}", "/nowhere"):
        await page.goto(f"{used.gateway.url}/ui{path}")
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert await faults(page) == []
        await page.get_by_role("link", name="All requests").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Requests")


async def test_a_request_is_found_by_the_id_of_its_error(used: Scene, browser: Browser) -> None:
    """The id is all that a client has of a failed request."""
    page = await browser.new_page()
    await page.goto(f"{used.gateway.url}/ui/requests/{used.failed}")
    await page.get_by_role("link", name="Search for").click()
    await page.get_by_role("row").nth(1).get_by_role("link").click()
    await expect(page.get_by_role("heading", name="Error")).to_be_visible()


async def test_dark_is_dark(used: Scene, opened: Open) -> None:
    """By the setting of the reader's system."""
    seen = []
    for scheme in ("light", "dark"):
        page = await opened(f"{used.gateway.url}/ui", color_scheme=scheme)
        colour: str = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        seen.append(sum(map(int, re.findall(r"\d+", colour))))
    assert seen[0] > 600
    assert seen[1] < 120


async def test_everything_except_the_live_list_works_without_scripts(used: Scene, opened: Open) -> None:
    """Filtering, opening and unfolding need no script."""
    page = await opened(f"{used.gateway.url}/ui", java_script_enabled=False)
    await expect(page.get_by_role("button", name="Pause live updates")).to_be_hidden()
    await page.get_by_label("Question, answer or id").fill("hash table")
    await page.get_by_role("button", name="Filter").click()
    await page.get_by_role("row").nth(1).get_by_role("link").click()
    await page.get_by_text("Its prompt beyond the conversation").click()
    await expect(page.get_by_text("BEGIN A").first).to_be_visible()


async def test_a_hostile_candidate_stays_text(used: Scene, opened: Open, tmp_path: Path) -> None:
    """On the page and in the saved file, which loads nothing from the network."""
    page = await opened(f"{used.gateway.url}/ui/requests/{used.fuse}")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Save as a file").click()
    path = tmp_path / "shared.html"
    await (await downloading.value).save_as(path)
    asked: list[str] = []
    shared = await opened("about:blank")
    shared.on("request", lambda request: asked.append(request.url))
    await shared.goto(path.as_uri())
    for shown in (page, shared):
        await expect(shown.get_by_role("group", name="tiny", exact=True)).to_contain_text(HOSTILE)
        await expect(shown.get_by_text(QUESTION).first).to_be_visible()
        assert "owned" not in await shown.title()
        assert await shown.locator("img").count() == 0
    assert asked == [path.as_uri()]
    assert await faults(shared) == []


async def test_the_keyboard_skips_to_the_content(used: Scene, opened: Open) -> None:
    """The first stop is the link past the header."""
    page = await opened(f"{used.gateway.url}/ui/requests/{used.edit}")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="All requests")).to_be_focused()


async def test_the_pictures_of_the_documentation_can_be_taken(used: Scene, opened: Open, tmp_path: Path) -> None:
    """Those that docs/traces.md shows."""
    page = await opened("about:blank")
    taken = await take(page, used, tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "traces.md").read_text(encoding="utf-8")
    assert set(re.findall(r"images/([\w-]+\.png)", text)) == {path.name for path in taken}
