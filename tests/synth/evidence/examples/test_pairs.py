"""Arguments and results in pairs, sentences and tables are read for a function that is known."""

import pytest

from tests.synth.evidence.examples.forms import shown


@pytest.mark.parametrize(
    ("text", "parameters", "examples"),
    [
        (
            "Input: nums = [2,7], target = 9\nOutput: [0,1]",
            ("nums", "target"),
            ["f(nums = [2,7], target = 9) == [0,1]"],
        ),
        ("Input: xs = [2,7], t = 9\nOutput: [0,1]", ("nums", "target"), ["f([2, 7], 9) == [0,1]"]),
        ("Input: [1, 2]\nOutput: 3", ("xs",), ["f([1, 2]) == 3"]),
        ("**Input:** [1, 2]\n**Output:** 3", ("xs",), ["f([1, 2]) == 3"]),
        ("- input: 'a'\n\n- output: 'b'", ("x",), ["f('a') == 'b'"]),
        ("Input: [1, 2], Output: 3", ("xs",), ["f([1, 2]) == 3"]),
        ("Input: 1, 2\nOutput: 3", ("a", "b"), ["f(1, 2) == 3"]),
        ("Input: (1, 2)\nOutput: 3", ("pair",), ["f((1, 2)) == 3"]),
        ("Input: 1\nOutput: 3", ("a", "b"), []),
        ("Input: a number\nOutput: 3", ("a",), []),
        ("Input: 1\nOutput: a number", ("a",), []),
        ("Input: 1\nInput: 2\nOutput: 3", ("a",), ["f(2) == 3"]),
        ("Output: 3", ("a",), []),
        ("Input: a = 1, b = 2 / Output: 3", ("a", "b"), ["f(a = 1, b = 2) == 3"]),
        ("Input: a = 1; b = 2 -> Output: 3", ("a", "b"), ["f(a = 1, b = 2) == 3"]),
        ("Input: `a = 1`, `b = 2`\nOutput: `3`", ("a", "b"), ["f(a = 1, b = 2) == 3"]),
        ("Input: a = 1\n       b = 2\nOutput: 3", ("a", "b"), ["f(a = 1, b = 2) == 3"]),
        ("Input:\n  a = 1\n  b = 2\nOutput:\n  3", ("a", "b"), ["f(a = 1, b = 2) == 3"]),
        ("**Input:**\n```\n1, 2\n```\n**Output:**\n```\n3\n```", ("a", "b"), ["f(1, 2) == 3"]),
        ("Sample Input 1:\n[1]\n2\nSample Output 1:\n3", ("a", "b"), ["f([1], 2) == 3"]),
        ("<p><strong>Input:</strong> a = 1\n<strong>Output:</strong> 3", ("a",), ["f(a = 1) == 3"]),
        ("Input: (1, 2)\nOutput: 3", ("a", "b"), ["f(1, 2) == 3"]),
        ("Input: f(1, 2)\nExpected: 3", ("a", "b"), ["f(1, 2) == 3"]),
        ("Input: a = true\nOutput: null", ("a",), ["f(a=True) == None"]),
        ("Eingabe: a = 1\nAusgabe: 3", ("a",), ["f(a = 1) == 3"]),
        ("Entrada: 1\nSalida: 3", ("a",), ["f(1) == 3"]),
        ("输入：a = 1\n输出：3", ("a",), ["f(a = 1) == 3"]),
        ("Input: 1\nOutput: 3 or 4", ("a",), []),
        ("Input: root = TreeNode(1)\nOutput: 3", ("root",), []),
        ("For a = 1 and b = 2 it returns 3.", ("a", "b"), ["f(a = 1, b = 2) == 3"]),
        ("for [1, 2] it should return 3", ("xs",), ["f([1, 2]) == 3"]),
        ("Given [1], 2, return 3.", ("a", "b"), ["f([1], 2) == 3"]),
        ("for a list it returns 3", ("xs",), []),
        ("for 1 it is 3 times as fast", ("x",), []),
        ("- `[1, 2]` -> `3`", ("xs",), ["f([1, 2]) == 3"]),
        ('"abc" → "cba"', ("s",), ["f('abc') == \"cba\""]),
        ("1 -> 2 -> 3", ("x",), []),
        ("| a | b | result |\n|---|---|---|\n| 1 | 2 | 3 |\n| x | 2 | 3 |", ("a", "b"), ["f(1, 2) == 3"]),
        ("| Input | Output |\n|:--|--:|\n| `1, 2` | `3` |", ("a", "b"), ["f(1, 2) == 3"]),
        ("| call | value |\n| --- | --- |\n| f(1) | 3 |\n| g(1) | 4 |", (), ["f(1) == 3"]),
        ("| name | age |\n|---|---|\n| 1 | 2 |", ("x",), []),
        ("| x | y |\n|---|---|\n| 1 | 2 |", ("x",), []),
        ("| Input | Time |\n|---|---|\n| 1 | 2 |", ("x",), []),
        ("| x | expected result |\n|---|---|\n| 1 | 2 |", ("x",), ["f(1) == 2"]),
        ("when 1 is 2", ("x",), []),
        ("when x = 1 the result is 2", ("x",), ["f(x = 1) == 2"]),
        ("For 100 requests it returns 429.", ("x",), []),
        ("Input: 5\nOutput: 5 items are printed", ("x",), []),
        ("Input: n (1 <= n <= 100)\nOutput: 3", ("n",), []),
        ("2023-01-01 -> 2024-01-01", ("x",), []),
        ("1 -> 2 of them", ("x",), []),
    ],
)
def test_pairs_of_input_and_output_are_examples(text: str, parameters: tuple[str, ...], examples: list[str]) -> None:
    """Named or positional values, in one line or two, for a function that is known."""
    assert shown(text, function="f", parameters=parameters) == examples
