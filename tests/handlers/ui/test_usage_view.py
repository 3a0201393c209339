"""The page of usage, and its files."""

import asyncio
import csv
import io
from decimal import Decimal

import pytest

from config.settings import Critic, Price, Server
from handlers.ui.usage_view import build_usage_view, parse_days
from store.store import Usage, UsageKey, to_units
from tests.fakes import FakeUpstream, answer
from tests.handlers.ui.tables import tables
from tests.running import ask, model, running, settings

DAY = 20_000


@pytest.mark.parametrize(
    ("text", "days"),
    [(None, 30), ("7", 7), ("0", 30), ("x", 30), ("99999999999999", 400), ("1" * 5000, 400), ("-1", 30), ("²", 30)],
)
def test_the_number_of_days(text: str | None, days: int) -> None:
    """Any value in the query gives a valid number."""
    assert parse_days(text) == days


def test_the_chart_has_a_column_for_each_day() -> None:
    """By cost, or by tokens if nothing has a price; what is unknown is never shown as 0."""
    usage = {UsageKey(DAY, "", "mom", ""): Usage(1), UsageKey(DAY, "", "mom", "a"): Usage(1, 10, 5)}
    view = build_usage_view(usage, {"a"}, "USD", today=DAY, n_days=3)
    assert "Tokens of each of the last 3 days" in view["chart"]
    assert "2024-10-04: unknown, 15 tokens" in view["chart"]
    priced = {UsageKey(DAY, "", "mom", "a"): Usage(1, 10, 5, 0, to_units(Decimal("0.25")))}
    view = build_usage_view(priced, (), "USD", today=DAY, n_days=3)
    assert "Cost of each of the last 3 days" in view["chart"]
    assert "2024-10-04: 0.25 USD, 15 tokens" in view["chart"]


async def test_the_page_and_its_files(upstream: FakeUpstream) -> None:
    """What was used shows within a second or so, by day, client, mixture and model."""
    upstream.default = answer("same", usage=(1000, 10))
    prices = {"a": Price(Decimal(10), Decimal(0)), "b": None}
    models = [model(name, upstream, price=price) for name, price in prices.items()]
    config = settings(models, critic=Critic("b"), server=Server(port=0, ui=True, currency="EUR"))
    async with running(config) as gateway:
        assert "No usage is recorded" in (await gateway.request("GET", "/ui/usage")).raw.decode()
        await gateway.chat()
        await gateway.chat(ask(model="a"))
        async with asyncio.timeout(30):
            reply = await gateway.request("GET", "/ui/usage?days=7&format=csv")
            while len(reply.raw.splitlines()) < 4:  # written once a second
                reply = await gateway.request("GET", "/ui/usage?days=7&format=csv")
        page = (await gateway.request("GET", "/ui/usage?days=7")).raw.decode()
        as_json = await gateway.request("GET", "/ui/usage?format=json")
    assert reply.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.raw.decode())))
    shown = [(row["mixture"], row["model"], row["requests"], row["prompt_tokens"], row["cost"]) for row in rows]
    assert shown == [("", "a", "1", "1000", "0.01"), ("mom", "a", "1", "1000", "0.01"), ("mom", "b", "1", "1000", "")]
    assert [row["model"] for row in as_json.json] == ["a", "a", "b"]
    by_day, by_client, by_mixture, by_model = tables(page)
    assert [row["Requests"] for row in by_day.values()] == ["2"]
    assert list(by_client) == ["without a key"]
    assert {name: (row["Requests"], row["Cost"]) for name, row in by_mixture.items()} == {
        "none: a model by its name": ("1", "0.01 EUR"),
        "mom": ("1", "at least 0.01 EUR"),
    }
    assert {name: (row["Requests"], row["Cost"]) for name, row in by_model.items()} == {
        "a": ("2", "0.02 EUR"),
        "b": ("1", "unknown"),
    }


async def test_without_pages_the_banner_has_no_address(upstream: FakeUpstream) -> None:
    """There is no file either."""
    async with running(settings([model("a", upstream)])) as gateway:
        assert (await gateway.request("GET", "/ui/usage?format=csv")).status == 404
