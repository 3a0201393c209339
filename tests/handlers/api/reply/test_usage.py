"""`usage`: at the top what a client's context accounting needs, under `mom` what the request really used."""

from decimal import Decimal
from typing import Any

import pytest

from config.settings import Price, Server
from handlers.api.reply.usage import build_usage
from synth.events import Answered, DecidedBy, Finished
from synth.ledger import Ledger, estimate_prompt_tokens
from synth.normalize import Completion
from synth.request import ChatRequest
from tests.running import model
from upstream.calls import Attempt, Call, Role

ASKED = [{"role": "user", "content": "Why is the sky blue?"}]
REQUEST = ChatRequest("mom", ASKED, {})
PRICE = Price(Decimal(1_000_000), Decimal(2_000_000))  # one unit of currency for each prompt token, two for the others


def _call(
    name: str,
    prompt: int | None,
    completion: int = 0,
    *,
    role: Role = "proposer",
    messages: Any = None,
    price: Any = PRICE,
) -> Call:
    usage = None if prompt is None else {"prompt_tokens": prompt, "completion_tokens": completion}
    call = Call(model(name, "http://h/v1", price=price), role, ASKED if messages is None else messages, {}, 60.0)
    call.attempts.append(Attempt(0.0, 1.0, outcome="ok", sent=True, usage=usage))
    call.started, call.ended, call.outcome = 0.0, 1.0, "ok"
    return call


def _usage(
    *calls: Call, completion: Completion | None = None, decided_by: DecidedBy = DecidedBy.CRITIC, **server: Any
) -> dict[str, Any]:
    answer = Answered(completion or Completion("Because.", completion_tokens=4), decided_by, "b")
    return build_usage(Finished((answer,), 0.0), Ledger(list(calls)), REQUEST, Server(**server))


def test_the_top_is_the_conversation_and_the_answer() -> None:
    """The prompt as the best-ranked proposer counted it, not what the critic read besides."""
    usage = _usage(_call("a", 10, 5), _call("b", 11, 6), _call("b", 50, 7, role="critic", messages=[*ASKED, *ASKED]))
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (10, 4, 14)


def test_mom_has_the_real_total() -> None:
    """Calls, tokens and cost of all, and of each model; how it was decided, and by whom."""
    mom = _usage(_call("a", 10, 5), _call("b", 11, 6), _call("b", 50, 7, role="critic"), currency="EUR")["mom"]
    assert (mom["decided_by"], mom["author"], mom["calls"], mom["estimated"]) == ("critic", "b", 3, False)
    assert (mom["prompt_tokens"], mom["completion_tokens"], mom["total_tokens"]) == (71, 18, 89)
    assert (mom["cost"], mom["currency"]) == (71 + 2 * 18, "EUR")
    assert {name: (each["calls"], each["cost"]) for name, each in mom["models"].items()} == {
        "a": (1, 10 + 2 * 5),
        "b": (2, 61 + 2 * 13),
    }


def test_the_top_can_be_the_total() -> None:
    """With `server.usage: total`, for clients that account for money by it."""
    usage = _usage(_call("a", 10, 5), _call("b", 50, 7, role="critic"), usage="total")
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (60, 12)


def test_a_cost_needs_every_price() -> None:
    """A sum that leaves out a model would look like a cheap request."""
    mom = _usage(_call("a", 10, 5), _call("b", 10, 5, price=None))["mom"]
    assert "cost" not in mom
    assert "currency" not in mom
    assert mom["models"]["a"]["cost"] == 20
    assert "cost" not in mom["models"]["b"]


@pytest.mark.parametrize("reads_more", [True, False])
def test_a_critic_counts_only_for_a_conversation_it_read_as_it_is(reads_more: bool) -> None:
    """Alone it reads just that; behind candidates its count would grow the client's context by all of them."""
    critic = _call("c", 50, role="critic")
    critic.messages = [*ASKED, {"role": "user", "content": "x" * 400}] if reads_more else REQUEST.messages
    expected = estimate_prompt_tokens(ASKED) if reads_more else 50
    assert _usage(_call("a", None), critic)["prompt_tokens"] == expected


def test_advice_is_not_the_clients_context() -> None:
    """If the advisors read a summary, the acting model's count less their advice is the conversation's."""
    summary = [{"role": "user", "content": "A summary."}]
    advisor, acting = _call("a", 3, 20, messages=summary), _call("c", 100, 9, role="critic", messages=[*ASKED, *ASKED])
    assert _usage(advisor, acting)["prompt_tokens"] == 80


def test_nothing_counted_is_estimated() -> None:
    """From the text, because a client divides by it."""
    usage = _usage(completion=Completion("x" * 400, reasoning="y" * 400))
    assert usage["prompt_tokens"] == estimate_prompt_tokens(ASKED)
    assert usage["completion_tokens"] == 200
    assert usage["mom"]["calls"] == 0


@pytest.mark.parametrize(("decided_by", "shown"), [(DecidedBy.MODEL, True), (DecidedBy.CRITIC, False)])
def test_only_a_single_model_passes_on_its_details(decided_by: DecidedBy, shown: bool) -> None:
    """Cached and reasoning tokens of one call say nothing about a panel's."""
    details = {"prompt_tokens_details": {"cached_tokens": 3}}
    usage = _usage(_call("a", 10, 5), completion=Completion("x", usage_details=details), decided_by=decided_by)
    assert ("prompt_tokens_details" in usage) == shown


def test_choices_are_summed() -> None:
    """With `n` the completion tokens are those of all choices."""
    answers = tuple(
        Answered(Completion("x", completion_tokens=n), DecidedBy.CRITIC, "a", choice) for choice, n in enumerate((3, 4))
    )
    assert build_usage(Finished(answers, 0.0), Ledger(), REQUEST, Server())["completion_tokens"] == 7
