"""A gateway that has been used: requests of every kind that the trace pages distinguish."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from config.settings import Critic, Price, Server, Settings
from synth.edits import EditForm
from tests.fakes import FakeUpstream, Step, after, answer, drip, from_request, hang, paced, status
from tests.running import Gateway, Reply, ask, model, running, settings
from tests.synth.edits.conversations import block, conversation
from tests.test_select import shown

HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=alert(1)>"
PANEL = ("swift", "deep", "broad", "tiny")
PATH = "orders/totals.py"
SOURCE = '''\
"""Totals of orders."""

from orders.model import Order


def total(order: Order) -> int:
    """Return the total of an order, in cents."""
    result = 0
    for line in order.lines:
        result += line.price
    return result


def discounted(order: Order, percent: int) -> int:
    """Return the total less a discount."""
    return total(order) - total(order) * percent / 100
'''
QUANTITY = block(PATH, "        result += line.price\n", "        result += line.price * line.quantity\n")
ROUNDED = block(
    PATH,
    "    return total(order) - total(order) * percent / 100\n",
    "    before = total(order)\n    return before - before * percent // 100\n",
)
EDIT: dict[str, Any] = {
    "messages": conversation(
        EditForm.EDIT_BLOCKS, {PATH: SOURCE}, "A total ignores the quantity, and a discount gives a float. Fix both."
    )
}
QUESTION = "Why does a hash table slow down as it fills up, and what do implementations do about it?"
CANDIDATES = {
    "swift": """\
A hash table slows down as it fills up because more keys share a slot.

With chaining, each slot holds a list, and the lists get longer: a lookup takes 1 + n/m steps on average.
With open addressing a lookup probes on until it finds the key or an empty slot.

Implementations grow the table when the load factor passes a bound, often 0.75.
""",
    "deep": """\
A hash table slows down as it fills up because more keys share a slot.

With open addressing the expected number of probes for a key that is absent is about 1 / (1 - a), where a is the load
factor: 2 at one half, 10 at nine tenths.

Implementations double the table when the load factor passes a bound, which costs O(1) a key over time.
""",
    "tiny": f"Hash tables are slow because of collisions. {HOSTILE}\n",
}
FUSED = """\
A hash table slows down as it fills up because more keys share a slot.

With chaining, each slot holds a list, and the lists get longer: a lookup takes 1 + n/m steps on average.
With open addressing the expected number of probes for a key that is absent is about 1 / (1 - a), where a is the load
factor: 2 at one half, 10 at nine tenths.

Implementations double the table when the load factor passes a bound, often 0.75, which costs O(1) a key over time.
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A gateway and the ids of some requests: `edit` picked among edits, `fuse` wrote prose, `failed` has no answer."""

    gateway: Gateway
    upstream: FakeUpstream
    edit: str
    fuse: str
    failed: str


def configured(upstream: FakeUpstream) -> Settings:
    """Return a mixture for prose and one for code over the same panel, one of whom is hedged, with prices."""
    price = Price(Decimal(2), Decimal(8))
    models = [
        model("swift", upstream, price=price),
        model("deep", upstream, price=Price(Decimal(3), Decimal(15)), hedge_after_s=0.35),
        model("broad", upstream, price=price, retries=0),
        model("tiny", upstream, price=Price(Decimal("0.1"), Decimal("0.4"))),
        model("wise", upstream, price=Price(Decimal(5), Decimal(25))),
    ]
    server = Server(port=0, ui=True)
    config = settings(models, server=server, panel=PANEL, critic=Critic("wise"), quorum=2, grace_s=5.0)
    return replace(
        config, mixtures=(*config.mixtures, replace(config.mixtures[0], name="code", mode="select", grace_s=0.3))
    )


@asynccontextmanager
async def scene(trace_dir: Path | None = None) -> AsyncGenerator[Scene]:
    """Run a gateway that has answered, chosen, failed and been left by a client."""
    async with FakeUpstream() as upstream, running(configured(upstream), trace_dir=trace_dir) as gateway:
        failed = await _failed(upstream, gateway)
        await _ordinary(upstream, gateway)
        await _left(upstream, gateway)
        fuse = await _fused(upstream, gateway)
        edit = await _edited(upstream, gateway)
        await kept(gateway, 9)
        yield Scene(gateway, upstream, edit.json["id"], fuse.json["id"], failed)


def script_slow_answer(used: Scene) -> None:
    """Have the next question answered at the pace of models: one member fails, the critic writes slowly."""
    for name, text in CANDIDATES.items():
        used.upstream.script(name, drip(answer(text), n_bytes=300, pause_s=0.02))
    used.upstream.script("broad", status(400))
    used.upstream.script("wise", after(0.3, paced(0.06, answer(FUSED, piece_chars=24))))


async def grown(used: Scene, n_requests: int) -> None:
    """Have more questions answered by a panel in which one member repeats another."""
    for name, text in (("swift", CANDIDATES["swift"]), ("deep", CANDIDATES["deep"]), ("tiny", CANDIDATES["swift"])):
        used.upstream.script(name, paced(0.002, answer(text, usage=(120, 100))))
    used.upstream.script("broad", answer(CANDIDATES["deep"]), status(500), answer("It depends."))
    used.upstream.script("wise", answer(FUSED, usage=(410, 141)))
    for number in range(n_requests):
        assert (await used.gateway.chat(ask(f"{QUESTION} ({number + 1})"))).status == 200


async def kept(gateway: Gateway, n_traces: int) -> None:
    """Wait until so many traces are in the list."""
    async with asyncio.timeout(30):
        while (await gateway.request("GET", "/ui?part=list")).raw.decode().count("data-id=") < n_traces:  # noqa: ASYNC110 -- as a browser does
            await asyncio.sleep(0.02)


async def _failed(upstream: FakeUpstream, gateway: Gateway) -> str:
    upstream.default = status(400)
    reply = await gateway.chat(ask("Is anybody there?", model="code"))
    assert reply.status == 400
    return reply.headers["x-request-id"]


async def _ordinary(upstream: FakeUpstream, gateway: Gateway) -> None:
    """Have a few simple requests answered."""
    for question in ("What is 17 * 23?", "Name a prime above 100.", "Spell 'necessary'.", "Is 91 a prime?"):
        text = "7 * 13 is 91, so no." if "91" in question else "391" if "17" in question else "101, necessary."
        for name in PANEL:
            upstream.script(name, paced(0.01, answer(text, usage=(40, 12))))
        upstream.script("wise", answer(text, usage=(180, 12)))
        assert (await gateway.chat(ask(question, stream=question.startswith("Is")))).status == 200
    upstream.script("swift", answer("Ready."))
    assert (await gateway.chat(ask("Say that you are ready.", model="swift"))).status == 200


async def _left(upstream: FakeUpstream, gateway: Gateway) -> None:
    """Have a client leave before it is answered."""
    upstream.default = hang()
    for name in PANEL:
        upstream.script(name, hang())
    n_before = len(upstream.requests)
    asking = asyncio.create_task(gateway.chat(ask("Write a very long story about a lighthouse.")))
    await upstream.wait_for(n_before + len(PANEL))
    asking.cancel()
    await upstream.wait_idle()


async def _fused(upstream: FakeUpstream, gateway: Gateway) -> Reply:
    upstream.script("swift", _writing(0.1, answer(CANDIDATES["swift"], usage=(120, 96))))
    upstream.script("deep", _writing(0.06, answer(CANDIDATES["deep"], usage=(120, 104), reasoning="Probes first.")))
    upstream.script("broad", after(0.1, status(400)))
    upstream.script("tiny", _writing(0.2, answer(CANDIDATES["tiny"], usage=(120, 30))))
    upstream.script("wise", after(0.2, paced(0.004, answer(FUSED, usage=(410, 141), piece_chars=24))))
    reply = await gateway.chat(ask(QUESTION, temperature=0.4))
    assert reply.headers["x-mom-decided-by"] == "critic"
    return reply


async def _edited(upstream: FakeUpstream, gateway: Gateway) -> Reply:
    """Have hunks of two answers picked: one came after a retry, one from a hedge; one failed, one was too late."""
    first = answer(f"Here you are.\n\n{QUANTITY}", usage=(600, 70))
    second = answer(f"The discount is whole cents now.\n\n{ROUNDED}", usage=(600, 88))
    upstream.script("swift", after(0.1, status(500)), _writing(0.1, first))
    upstream.script("deep", hang(), _writing(0.15, second))
    upstream.script("broad", after(0.2, status(429, retry_after=9)))
    upstream.script("tiny", hang())
    upstream.script("wise", after(0.15, _names_both()))
    reply = await gateway.chat({**EDIT, "model": "code"})
    assert reply.headers["x-mom-decided-by"] == "chosen"
    return reply


def _writing(first_s: float, step: Step) -> Step:
    """Answer after so many seconds, and then at the pace of a model."""
    return after(first_s, drip(step, n_bytes=70, pause_s=0.02))


def _names_both() -> Step:
    def pick(body: Any) -> str:
        marks = ("line.quantity", "// 100")
        chosen = [next(each for each, text in shown(body).items() if mark in text) for mark in marks]
        return f"{chosen[0]}1 {chosen[1]}1\nEach mends one of the two, and they touch different lines."

    return from_request(pick)
