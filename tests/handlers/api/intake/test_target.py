"""Finding what answers a request: names, steering, the header, and the limit on its cost."""

from decimal import Decimal
from typing import Any

import pytest

from config.settings import ApiKey, Critic, Price, Secret
from handlers.api.intake.target import Target, find_target, record_target
from handlers.context import Snapshot
from handlers.errors import ApiError
from handlers.request_record import RequestRecord
from synth.request import ChatRequest, Steering
from tests.running import model, settings

URL = "http://127.0.0.1:1/v1"
PRICE = Price(Decimal(1), Decimal(1))
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


def snapshot(**mixture: Any) -> Snapshot:
    pool: Any = None
    blind: Any = frozenset({"tools"})
    models = [
        model("a", URL, price=PRICE),
        model("b", URL, price=PRICE, capabilities=frozenset()),
        model("c", URL, price=PRICE, capabilities=blind),
    ]
    config = settings(models, panel=("a", "b"), critic=Critic("a"), **mixture)
    return Snapshot(config, pool, lambda: (), lambda: 0.0)


def find(steering: Steering, mode: str | None = None, key: ApiKey | None = None, **chat: Any) -> Target:
    request = ChatRequest(
        chat.pop("model", None), [{"role": "user", "content": "Why?"}], chat.pop("params", {}), steering=steering
    )
    headers = {} if mode is None else {"x-mom-mode": mode}
    return find_target(request, snapshot(**chat), key, headers)


def refusal(*arguments: Any, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        find(*arguments, **options)
    return caught.value


@pytest.mark.parametrize(
    ("steering", "header", "mode"),
    [
        (Steering(), None, "auto"),
        (Steering(), "first", "first"),
        (Steering(mode="select"), "first", "select"),
        (Steering(mode="select"), "nonsense", "select"),
        (Steering(panel=()), "fuse", "direct"),
        (Steering(critic="c"), "first", "first"),
    ],
)
def test_the_field_goes_before_the_header(steering: Steering, header: str | None, mode: str) -> None:
    """`mom.mode` wins over `x-mom-mode`, which still holds beside other keys of the field."""
    mixture = find(steering, header).mixture
    assert mixture is not None
    assert mixture.mode == mode


def test_an_unknown_mode_in_the_header_is_refused() -> None:
    """With the header's name as the path."""
    assert refusal(Steering(), "nonsense").param == "x-mom-mode"


def test_capabilities_are_those_of_the_derived_mixture() -> None:
    """A critic that cannot call tools is refused where the configured one could; and the other way round."""
    assert refusal(Steering(critic="b"), params={"tools": TOOLS}).param == "tools"
    assert find(Steering(critic="c"), params={"tools": TOOLS}).mixture is not None
    assert refusal(Steering(), params={"logprobs": True}).param == "logprobs"
    assert find(Steering(panel=("a",)), params={"logprobs": True}).mixture is not None
    assert find(Steering(panel=()), params={"logprobs": True}).mixture is not None


def test_names_that_a_key_does_not_permit_are_unknown() -> None:
    """Also those that the mixture itself uses: a key names what it lists."""
    key = ApiKey("ci", Secret("k", "K"), models=("mom", "c"))
    assert find(Steering(panel=("c",), critic="c"), key=key).mixture is not None
    for steering, path in ((Steering(panel=("c", "a")), "mom.panel[1]"), (Steering(critic="a"), "mom.critic")):
        error = refusal(steering, key=key)
        assert (error.status, error.param) == (404, path)
        assert error.message.endswith("available: c")


@pytest.mark.parametrize(
    ("name", "own", "asked", "whose"),
    [
        ("mom", "0.0000001", None, "mom"),
        ("mom", "9", "0.0000001", "this request"),
        ("mom", "0.0000001", "9", "mom"),
        ("mom", None, "0.0000001", "this request"),
        ("a", "0.0000001", None, "mom"),
        ("a", "9", "0.0000001", "this request"),
        ("c", None, "0.0000001", "this request"),
    ],
)
def test_a_request_may_only_lower_its_limit(name: str, own: str | None, asked: str | None, whose: str) -> None:
    """The lower limit refuses a request that may cost more, and the error says whose it is."""
    found: Any = {"max_cost": None if own is None else Decimal(own)}
    steering = Steering(max_cost=None if asked is None else Decimal(asked))
    target = find(steering, model=name, **found)
    with pytest.raises(ApiError, match=f"max_cost of {whose} is 0.0000001 USD") as caught:
        record_target(RequestRecord(), target, snapshot(**found), is_limited=False)
    assert caught.value.status == 429


def test_the_estimate_is_that_of_the_derived_mixture() -> None:
    """A smaller panel is expected to cost less, and a budget reserves that."""
    expected = []
    for steering in (Steering(), Steering(panel=("c",)), Steering(panel=())):
        record = RequestRecord()
        record_target(record, find(steering), snapshot(), is_limited=True)
        expected.append(record.expected.cost)
    assert expected == sorted(expected, reverse=True)
    assert len(set(expected)) == 3
