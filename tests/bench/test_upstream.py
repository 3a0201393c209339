"""The scripted upstream's parts: prefixes, stamps, scripts, conversations."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench import conversations, replies, stamps
from bench.conversations import KB
from bench.prefixes import PrefixCache, common_length
from bench.scenarios import SCENARIOS
from bench.scripts import CRITIC, PANEL, PICK, SCRIPTS, parse
from bench.stamps import Stamp
from bench.upstream import Request
from config import load

ROOT = Path(__file__).parent.parent.parent


def request(model: str, body: str) -> Request:
    name, member = parse(model)
    return Request(0, body.encode(), model, member, SCRIPTS[name])


@given(st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50))
@example(b"same", b"", b"")
def test_the_common_length_is_that_of_the_common_prefix(start: bytes, one: bytes, other: bytes) -> None:
    """Counting byte by byte gives the same."""
    left, right = start + one, start + other
    naive = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    assert common_length(left, right) == naive


def test_a_cache_finds_the_longest_known_prefix() -> None:
    cache = PrefixCache()
    assert cache.share(b"abcd") == 0
    cache.remember(b"abxx")
    cache.remember(b"a")
    assert cache.share(b"abcd") == 0.5
    assert cache.share(b"abxx") == 1


def test_stamps_survive_the_way_through_a_prompt() -> None:
    """As long as an empty one, wherever it stands; of several, the wait of the last reply that came counts."""
    early, late = Stamp(10**18, 10**18 + 500), Stamp(10**18 + 5, 10**18 + 900)
    text = b"x" + late.encode() + b"y" + early.encode()
    assert stamps.find_stamps(text) == [late, early]
    assert len(late.encode()) == len(stamps.EMPTY)
    assert stamps.last_wait_ns(text) == 895
    assert stamps.last_wait_ns(b"none") == 0
    assert Stamp(0, 5, before_ns=895).waited_ns == 900


def test_random_factors_depend_on_the_seed() -> None:
    """The same conversation has the same timings for every subject; another one has others."""
    one, same, other = (request("quorum-a", f"[seed {seed} of {who}]") for seed, who in ((1, "x"), (1, "y"), (2, "x")))
    assert one.pace(0.0) == same.pace(0.0) != other.pace(0.0)


def test_a_cached_prompt_is_answered_sooner() -> None:
    prompt = request("prefix-a", "[seed 1]")
    assert prompt.pace(1.0).wait_s < prompt.pace(0.5).wait_s < prompt.pace(0.0).wait_s
    assert prompt.pace(1.0).write_s == prompt.pace(0.0).write_s


def test_a_critic_names_the_best_draft_if_it_may_pick() -> None:
    """By the letter under which the best draft is shown; a prompt that asks for no letter gets a whole text."""
    drafts = "BEGIN A x def read_c( END A x BEGIN B x def read_b( END B x BEGIN C x def read_a("
    chooses = request("select-critic", drafts)
    assert chooses.letter() == "B"
    assert chooses.pace(0.0).n_chunks == PICK.n_chunks
    assert request("select-critic", "def read_b(").letter() is None
    assert request("select-a", drafts).letter() is None


def test_replies_have_the_length_that_their_heads_state() -> None:
    """Content-Length holds with the stamp in its place, and the body is a completion."""
    before, behind = replies.build_completion("wait50-a")
    head, _, body = (before + stamps.EMPTY + behind).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["choices"][0]["message"]["content"].startswith("Draft a.")


def test_equal_drafts_are_equal() -> None:
    """No stamp or name tells them apart."""
    bodies = {
        b"".join(replies.build_completion(f"equal-{member}")).replace(b"equal-" + member.encode(), b"")
        for member in PANEL
    }
    assert len(bodies) == 1


@pytest.mark.parametrize("n_bytes", [2 * KB, 20 * KB, 100 * KB])
def test_conversations_have_their_size(n_bytes: int) -> None:
    """Within 10 %, with turns that alternate, and the mark at their beginning."""
    body = json.loads(conversations.build_body("mom", n_bytes, mark="[seed 1] "))
    messages = body["messages"]
    assert sum(len(message["content"]) for message in messages) == pytest.approx(n_bytes, rel=0.1)
    assert [message["role"] for message in messages][1::2] == ["user"] * (len(messages) // 2)
    assert messages[0]["content"].startswith("[seed 1] ")


def test_the_configuration_has_a_mixture_for_each_script() -> None:
    """With the models that the upstream knows as its panel and critic; evidence alone decides in one of them."""
    settings = load(ROOT / "bench/config.yaml", {"BENCH_UPSTREAM": "http://127.0.0.1:1/v1"})
    assert {mixture.name for mixture in settings.mixtures} == set(SCRIPTS)
    for mixture in settings.mixtures:
        assert [proposer.name for proposer in mixture.panel] == [f"{mixture.name}-{member}" for member in PANEL]
        assert mixture.critics == (() if mixture.name == "code" else (f"{mixture.name}-{CRITIC}",))


def test_scenarios_have_distinct_names() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
