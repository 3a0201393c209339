"""Sentences and remarks of several languages are read, and what is doubted is not."""

import pytest

from tests.synth.evidence.examples.forms import shown


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("f(1) == 2", ["f(1) == 2"]),
        ("f(1) ➞ 2", ["f(1) == 2"]),
        ("f(1) -> 2", ["f(1) == 2"]),
        ("f(1) → [2, 3]", ["f(1) == [2, 3]"]),
        ("f(1) => 2", ["f(1) == 2"]),
        ("f(1) = 2", ["f(1) == 2"]),
        ("f(1) # returns 2", ["f(1) == 2"]),
        ("f(1) # => 2", ["f(1) == 2"]),
        ("f(1)  # 2", ["f(1) == 2"]),
        ("result = f(1)  # 2", ["f(1) == 2"]),
        ("f(1)  # 2 items", []),
        ("f(1)  # error", []),
        ("print(f(1))  # 2", ["str(f(1)) == '2'"]),
        ("print(f('a'))  # Output: b", ["str(f('a')) == 'b'"]),
        ("print(f([1]))  # => [1, 2]", ["f([1]) == [1, 2]"]),
        ("print(f(1))\n# 2", ["str(f(1)) == '2'"]),
        ("f(1)\n=> 2", ["f(1) == 2"]),
        ("f(1)\n2", []),
        ("- f(1): 2", ["f(1) == 2"]),
        ("see f(1): 2 of them", []),
        ("* f(1) returns 2", ["f(1) == 2"]),
        ("For example, `f([1,2])` should be `3`.", ["f([1,2]) == 3"]),
        ("f([1, 2]) should be 3, and f([]) should be 0.", ["f([1, 2]) == 3", "f([]) == 0"]),
        ("f(1) should return 'a' because", ["f(1) == 'a'"]),
        ("f(1) is 4 times as fast", []),
        ("f(1) is 4 because", ["f(1) == 4"]),
        ("f(1) is 4.", ["f(1) == 4"]),
        ("f(1) island 4", []),
        ("f(1) returns the value 4", ["f(1) == 4"]),
        ("f(1) should not be 3", []),
        ("f(x) == 2", []),
        ("f(*a) == 2", []),
        ("f(a=1) == 2", ["f(a=1) == 2"]),
        ("f(1) -> int", []),
        ("f(1) == g(2)", []),
        ("obj.f(1) == 2", []),
        ("def f(a=1) -> 2", []),
        ("len('abc') == 3", []),
        ("solution('') ==> ''", ["solution('') == ''"]),
        ("f(1) --> 2", ["f(1) == 2"]),
        ("f(1) should result in 2", ["f(1) == 2"]),
        ("**f(1)** should return **2**.", ["f(1) == 2"]),
        ("f(2**3) is 8", ["f(2**3) == 8"]),
        ("f(“a”) should be “b”.", ['f("a") == "b"']),
        ("Cart().total() should be 0", ["Cart().total() == 0"]),
        ("Cart([1]).add(2).items is [1, 2]", ["Cart([1]).add(2).items == [1, 2]"]),
        ("Cart().add(x).items is [1, 2]", []),
        ("If I call `f(1)`, I expect `2`.", ["f(1) == 2"]),
        ("I expect f(1) to be 2", ["f(1) == 2"]),
        ("f(1) (returns 2)", ["f(1) == 2"]),
        ("f(1) should be true", ["f(1) == True"]),
        ("f(1) should be 2 instead of 3", ["f(1) == 2"]),
        ("f(1) returns 2 instead of 3", []),
        ("f(1) should be 2 now", ["f(1) == 2"]),
        ("f(1) returns [true, null]", ["f(1) == [True, None]"]),
        ("f(1) soll 2 ergeben.", ["f(1) == 2"]),
        ("f(1) gibt 2 zurück", ["f(1) == 2"]),
        ("f(1) debe devolver 2.", ["f(1) == 2"]),
        ("f(1) doit renvoyer 2", ["f(1) == 2"]),
        ("f(1) 应该返回 2。", ["f(1) == 2"]),
        ("例如，f(1) 的结果是 [2]，", ["f(1) == [2]"]),
        ("f(-1) raises ValueError", ["f(-1) raises ValueError"]),
        ("f(-1) should raise a `KeyError`.", ["f(-1) raises KeyError"]),
        ("f(-1) raises eyebrows", []),
        ("f([]) raises IndexError", []),
        ("f([]) should raise IndexError", ["f([]) raises IndexError"]),
        ("f(1) is 1,000", []),
        ("f(1) is 3 < 4", []),
        ("f(1) should be 3 or more", []),
        ("f(1) returns 2 (or 3)", []),
        ("f(1) returns [0, 1, ...]", []),
        ("if f(1) == 2: g()", []),
        ("while f(1) == 2:", []),
        ("return f(1) == 2", []),
        ("x = f(1) == 2", []),
        ("for i in f(1) == 2", []),
        ("return 15 and f(1) should return 2", ["f(1) == 2"]),
        ("for f(1) == 2", ["f(1) == 2"]),
        ("Is f(1) == 2?", []),
        ("Why does f(1) return 2?", []),
        ("Currently f(1) returns 2.", []),
        ("I get f(1) == 2 when I expect 3", []),
        ("Bug: f(1) returns 2", []),
        ("It is not f(1) == 2", []),
        ("If the list is not empty, f([1]) returns 1", ["f([1]) == 1"]),
        ("Why? f(1) returns 2", ["f(1) == 2"]),
        ("f(1), which is 2", []),
        ("f(1) == 2 + 3", []),
        ("f(1) == 2 - 3", []),
        ("f(1) == 2 if x else 3", []),
        ("f('(') == ')'", ["f('(') == ')'"]),
    ],
)
def test_sentences_may_be_examples(text: str, examples: list[str]) -> None:
    """A call with constants, a word or sign for its result, and a value."""
    assert shown(text) == examples


@pytest.mark.parametrize(
    ("text", "examples"),
    [
        ("f(10) gives 3, but two would be right. f(0) should be 0.", ["f(0) == 0"]),
        ("f([-1, -2, 3]) returns [-2, 3].", []),
        ("f([]) raises IndexError. It should return 0 for an empty list.", ["f([]) == 0"]),
        ("f([]) raises IndexError, f([1]) should be 1.", ["f([1]) == 1"]),
        ("f([]) should not be 0. It should be faster.", []),
        ("f(1) is 2", []),
        ("f(1) must be 2", ["f(1) == 2"]),
        ("f(1) == 2", ["f(1) == 2"]),
        ("Cart().total() raises. It should be 0", ["Cart().total() == 0"]),
        ("assert f(1) == 2", ["f(1) == 2"]),
        (">>> f(1)\n2", ["f(1) == 2"]),
    ],
)
def test_only_the_wanted_result_of_a_bug_report_is_an_example(text: str, examples: list[str]) -> None:
    """In a request for changes, only what is demanded is an example."""
    assert shown(text, of_changes=True) == examples


@pytest.mark.parametrize(
    "text", ["f(1) gives 3, but should not.", "f(1) is 3; instead it must grow", "f(1) -> 3 (but why?)"]
)
def test_a_contradicted_value_is_no_example(text: str) -> None:
    assert shown(text) == (["f(1) == 3"] if "(but" in text else [])


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):\n    f(3)\nValueError: bad",
        '$ python -c "print(f(3))"\n7',
        "AssertionError: assert f(3) == 5",
        "E       assert f(3) == 5",
        "f(3) -> int",
        "Use f(3) in the loop for 3 times.",
        "f(3) took 5 seconds",
        "f(3) is 5x faster",
        "f(3) is 5%",
        "f(3)  # 5 ms",
        "f(3) = 5 + 2",
        "f(3) should be about 5",
        "f(3) should never be 5",
        "f(3) == 5 is wrong",
        "f(3) == 5 fails",
        "f(3) returns 5. This is wrong!",
        "f(3) returns 5 (expected 6)",
        "expected 6 but f(3) returned 5",
        "`f(3) == 5` is not what I want",
        "Do not hard-code f(3) == 5.",
        "Previously f(3) was 5.",
        "At the moment f(3) is 5.",
        "Suppose f(3) is 5.",
        "If f(3) is 5 then stop.",
        "f(3) returns 5 or None",
        "f(3) returns 5 | None",
        "f(3) returns 5..6",
        "f(3) returns 5, 6, 7",
        "f(3) → 5 → 6",
        "f(3) is either 5 or 6",
        "f(3) may return 5",
    ],
)
def test_text_that_only_looks_like_an_example(text: str) -> None:
    """Logs, measurements, conditions, what was or is wrong, several values."""
    assert shown(text, function="f", parameters=("x",)) == []
