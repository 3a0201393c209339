"""Tests for pytest and unittest run without either, and say the same."""

import pytest

from synth.evidence.plain_tests import write_plain_tests
from tests.synth.evidence.running import HEAD, outcomes


def test_rows_and_fixtures_make_calls() -> None:
    """One call for each row; rows of several decorators are combined; marked ones are left out."""
    source = """
@pytest.fixture
def two():
    return 2

@pytest.mark.parametrize("a", [1, 2])
@pytest.mark.parametrize(("b", "c"), [(2, 3), pytest.param(0, 0, marks=pytest.mark.xfail), pytest.param(2, 4, id="x")])
def test_sum(a, b, c, two, more=0):
    assert a + b + more == c and two == 2

class TestB:
    @pytest.mark.parametrize("a", [1])
    def test_b(self, a):
        assert a == 1
"""
    assert outcomes(source) == {
        "test_sum(a=1, b=2, c=3, two=two())": True,
        "test_sum(a=1, b=2, c=4, two=two())": False,
        "test_sum(a=2, b=2, c=3, two=two())": False,
        "test_sum(a=2, b=2, c=4, two=two())": True,
        "TestB_test_b(a=1)": True,
    }


@pytest.mark.parametrize(
    "source",
    [
        "def test_a(tmp_path): pass",
        "def test_a(*more): pass",
        "@pytest.mark.skip\ndef test_a(): assert False",
        "@pytest.mark.xfail(reason='x')\ndef test_a(): assert False",
        "@pytest.mark.parametrize('a', ROWS)\ndef test_a(a): pass",
        "def test_a():\n    with pytest.warns(UserWarning): pass",
        "class TestA(TestCase):\n    def test_a(self):\n        self.assertLogs('x')",
        "@pytest.fixture\ndef a():\n    yield 1\n\ndef test_a(a): pass",
        "async def test_a(): pass",
        "def helper(): pass",
    ],
)
def test_other_tests_are_left_out(source: str) -> None:
    """What needs more of a library than is written out here is not called."""
    plain = write_plain_tests(HEAD + source)
    assert plain is not None
    assert plain.calls == ()


@pytest.mark.parametrize(
    "source",
    [
        "pytestmark = pytest.mark.unit\ndef test_a(): assert True",
        "from pytest import fixture\n@fixture\ndef x(): return 1\ndef test_a(x=1): assert x == 1",
        "@pytest.mark.asyncio\nasync def test_z(): pass\ndef test_a(): assert True",
        "@pytest.mark.slow\nclass TestB:\n    x = 1\ndef test_a(): assert True",
        "def test_a(): assert True\nif __name__ == '__main__':\n    unittest.main()",
    ],
)
def test_names_of_the_libraries_are_dropped(source: str) -> None:
    """Marks and decorators of a module, a class and a coroutine."""
    assert set(outcomes(source).values()) == {True}


def test_the_import_of_the_future_is_dropped() -> None:
    """It would be below the helpers."""
    plain = write_plain_tests("from __future__ import annotations\ndef test_a(): assert 0.3 == approx(0.3)")
    assert plain is not None
    compile(plain.source, "plain", "exec")
    assert plain.calls == ("test_a()",)


@pytest.mark.parametrize(
    "source",
    [
        "class TestA(TestCase):\n    def setUp(self):\n        super().setUp()\n    def test_a(self): pass",
        "class TestA:\n    def setup_method(self, method): pass\n    def test_a(self): pass",
        "class TestA(TestCase):\n    @classmethod\n    def setUpClass(cls): pass\n    def test_a(self): pass",
        "class TestA:\n    @pytest.fixture(autouse=True)\n    def x(self): pass\n    def test_a(self): pass",
        "class TestA(Base):\n    def test_a(self): pass",
        "class TestA(TestCase):\n    def setUp(self):\n        self.addCleanup(print)\n    def test_a(self): pass",
        "class TestA(TestCase):\n    def test_a(self):\n        print(self.id())",
        "@unittest.skipIf(True, 'x')\nclass TestA(TestCase):\n    def test_a(self): pass",
        "def test_a():\n    with raises(ValueError) as e:\n        int('x')\n    assert e.match('x')",
        "def test_a():\n    with raises(ValueError) as e:\n        int('x')\n    assert 'x' in str(e)",
        "def test_a():\n    assert 1 == approx(1, nan_ok=True)",
        "@pytest.mark.usefixtures('x')\ndef test_a(): pass",
        "@pytest.fixture(scope='module')\ndef x(): return 1\ndef test_a(x): pass",
        "@pytest.mark.parametrize('x', [1], indirect=True)\ndef test_a(x): pass",
        "from pytest import skip\ndef test_a():\n    skip('x')",
        "def setup_module(module): pass\ndef test_a(): pass",
        "def setup_function(): pass\ndef test_a(): pass",
        "@pytest.fixture(autouse=True)\ndef x(): pass\ndef test_a(): pass",
        "json = pytest.importorskip('json')\ndef test_a(): pass",
    ],
)
def test_tests_with_other_preparation_are_left_out(source: str) -> None:
    """What prepares a test and is not run would make a right candidate fail."""
    plain = write_plain_tests(HEAD + source)
    assert plain is None or plain.calls == ()


@pytest.mark.parametrize("source", ["def test_a(:", "x = " + "-" * 100_000 + "1", "\0"])
def test_what_is_no_module(source: str) -> None:
    assert write_plain_tests(source) is None
