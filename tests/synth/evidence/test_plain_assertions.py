"""Assertions of pytest and unittest hold and fail in plain Python as they do there."""

import pytest

from tests.synth.evidence.running import outcomes


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ("assert 1 == 1", True),
        ("assert 1 == 2", False),
        ("assert 0.1 + 0.2 == approx(0.3)", True),
        ("assert pytest.approx([0.3]) == [0.1 + 0.2]", True),
        ("assert {'a': 0.31} == approx({'a': 0.3})", False),
        ("assert 0.31 == approx(0.3, abs=0.1)", True),
        ("assert 0.31 == approx(0.3, rel=0.001)", False),
        ("assert 0.41 == approx(0.3, abs=0.1)", False),
        ("assert math.isclose(1, 1)", True),
        ("with pytest.raises(ValueError):\n        int('x')", True),
        ("with raises((KeyError, ValueError)):\n        int('x')", True),
        ("with pytest.raises(ValueError):\n        int('1')", False),
        ("with pytest.raises(ValueError, match='invalid'):\n        int('x')", True),
        ("with pytest.raises(ValueError, match='other'):\n        int('x')", False),
        ("with pytest.raises(ValueError) as info:\n        int('x')\n    assert 'x' in str(info.value)", True),
        ("pytest.raises(ValueError, int, 'x')", True),
        ("pytest.raises(ValueError, int, '1')", False),
    ],
)
def test_pytest_is_written_out(body: str, passes: bool) -> None:
    """Approximate values and expected exceptions."""
    assert outcomes(f"def test_a():\n    {body}\n") == {"test_a()": passes}


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ("self.assertEqual(1, 1)", True),
        ("self.assertEqual(1, 2, 'why')", False),
        ("self.assertNotEqual(1, 2)", True),
        ("self.assertTrue([])", False),
        ("self.assertFalse([])", True),
        ("self.assertIsNone(None)", True),
        ("self.assertIsNotNone(None)", False),
        ("self.assertIn(1, [1])", True),
        ("self.assertNotIn(1, [1])", False),
        ("self.assertGreater(2, 1)", True),
        ("self.assertLessEqual(2, 1)", False),
        ("self.assertIsInstance(1, int)", True),
        ("self.assertAlmostEqual(0.1 + 0.2, 0.3)", True),
        ("self.assertAlmostEqual(0.31, 0.3, places=1)", True),
        ("self.assertAlmostEqual(0.31, 0.3, delta=0.001)", False),
        ("self.assertCountEqual([2, 1], [1, 2])", True),
        ("self.assertListEqual([2, 1], [1, 2])", False),
        ("self.assertRaises(ValueError, int, 'x')", True),
        ("self.fail('no')", False),
        ("with self.assertRaises(ValueError) as caught:\n            int('x')\n        str(caught.exception)", True),
        ("with self.assertRaisesRegex(ValueError, 'other'):\n            int('x')", False),
        ("for n in (1, 2):\n            with self.subTest(n=n):\n                self.assertEqual(n, 1)", False),
    ],
)
def test_unittest_is_written_out(body: str, passes: bool) -> None:
    """Assertions, expected exceptions and parts of a test."""
    source = (
        f"class TestA(TestCase):\n    def setUp(self):\n        self.n = 1\n\n    def test_a(self):\n        {body}\n"
    )
    assert outcomes(source) == {"TestA_test_a()": passes}
