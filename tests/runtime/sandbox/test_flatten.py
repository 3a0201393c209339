"""Siblings are put in the place of their import, or left to fail."""

import pytest

from runtime.sandbox import forks, monty
from runtime.sandbox.flatten import flatten
from runtime.sandbox.namespaces import Isolation, isolation
from runtime.sandbox.trials import Check, Kind, Trial
from tests.runtime.sandbox.boxes import each_box, observe

FILES = {
    "cart.py": "from shop.prices import price\n\ndef total(items):\n    return sum(price(item) for item in items)\n",
    "shop/__init__.py": "VAT = 2\n",
    "shop/prices.py": "from shop import VAT\n\ndef price(item):\n    return VAT * item\n",
}


@each_box
@pytest.mark.parametrize(
    "source",
    [
        "from cart import total\n",
        "from cart import (\n    total,\n)\n",
        "from cart import total as sum_up\n\ndef total(items):\n    return sum_up(items)\n",
        "from cart import total\nfrom shop.prices import price\nassert price(1) == 2\n",
        "from __future__ import annotations\nfrom cart import total\n",
        "import cart\n\ndef total(items):\n    return cart.total(items)\n",
        "import cart as c\ntotal = c.total\n",
        "from shop import prices\n\ndef total(items):\n    return sum(map(prices.price, items))\n",
        "from cart import total as sum_up\nfrom cart import total\nassert sum_up is total\n",
        "from cart import total\nassert total([1]) == 2\nfrom cart import total as again\n",
        "import cart\nfrom cart import total as sum_up\ntotal = cart.total\nassert sum_up([1]) == 2\n",
        "from cart import total\nimport cart\nassert cart.total([1]) == total([1])\n",
    ],
)
async def test_siblings_are_imported(box: str, source: str) -> None:
    """Directly and by each other, under their own and under other names, in every sandbox."""
    report = await observe(box, Trial(source, (Check("total([1, 2])", "6"),), tuple(FILES.items())))
    assert [check.equal for check in report.checks] == [True], report


@pytest.mark.parametrize(
    "source",
    [
        "import shop.prices",
        "import cart, nowhere",
        "from . import cart",
        "from nowhere import x",
        "def f():\n    from cart import total",
        "from cart import",
        "from cart import total; RATE = 2",
        "RATE = 2; from cart import total",
        "RATE = [\n]; from cart import total",
    ],
)
def test_other_imports_stay_as_they_are(source: str) -> None:
    """What is not a plain import of a sibling's names stays as it is."""
    assert flatten(source, FILES) == source


async def test_an_import_that_cannot_be_inlined_is_unknown_to_monty() -> None:
    """CPython imports it, where there is one."""
    trial = Trial("import shop.prices", (Check("shop.prices.price(1)", "2"),), tuple(FILES.items()))
    assert (await observe(monty.NAME, trial)).loaded.kind is Kind.UNKNOWN
    if isolation() is Isolation.NAMESPACES:
        assert [check.equal for check in (await observe(forks.NAME, trial)).checks] == [True]


APART = {"a.py": "N = 1\ndef f():\n    return _g()\ndef _g():\n    return N\n", "b.py": "def _g():\n    return 2\n"}
COUNTER = {"a.py": "n = 0\ndef f():\n    global n\n    n += 1\n"}


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("import a, b\nassert a.f() == 1", APART),
        ("from a import f\ndef _g():\n    return 3\nassert f() == 1", APART),
        ("from a import f\nN = 7\nassert f() == 1", APART),
        ("from a import f\nfor N in range(3):\n    assert f() == 1", APART),
        ("import a\na.N = 5\nassert a.f() == 5", APART),
        ("import a\na.f()\nassert a.n == 1", COUNTER),
    ],
)
def test_modules_that_would_change_each_other_are_not_joined(source: str, files: dict[str, str]) -> None:
    """Such an import is left to a sandbox with files: joined, a right answer could fail."""
    assert flatten(source, files) == source


def test_a_sibling_of_siblings_is_put_in_place_once() -> None:
    """A second copy of it would undo what was done to the first."""
    files = {"a.py": "from c import log", "b.py": "from c import log", "c.py": "log = []"}
    assert flatten("from a import log\nfrom b import log\nfrom c import log", files).count("log = []") == 1


def test_circular_imports_end() -> None:
    """Files that import each other are each put in place once."""
    files = {"a.py": "from b import y\nx = 1", "b.py": "from a import x\ny = 2"}
    assert flatten("from a import x", files).count("x = 1") == 1


def test_a_sibling_that_does_not_parse_cannot_be_imported() -> None:
    """The candidate is not at fault for it here."""
    assert "ImportError" in flatten("from a import x", {"a.py": "x = ("})


def test_growth_is_bounded() -> None:
    """A source that would become too large is left as it is."""
    files = {"a.py": "x = 1\n" * 50_000}
    assert flatten("from a import x", files) == "from a import x"
