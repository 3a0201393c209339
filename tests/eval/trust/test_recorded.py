"""Tasks from recorded answers."""

from eval.asking import Answer
from eval.measuring import ANY_CANDIDATE, Result
from eval.trust.recorded import make_task

CODE = "```python\ndef f(n):\n    return {}\n```"


def result(arm: str, text: str | None, *, passed: bool) -> Result:
    return Result(arm, "item", passed, Answer(text, True, "model", 1, 1, 1, 1.0, None))


def test_answers_with_the_same_code_are_the_same() -> None:
    """Comments and white space make no other outcome; an answer that is missing, or no member's, does not count."""
    results = [
        result("a", CODE.format("n + 1"), passed=True),
        result("b", CODE.format("n+1  # next"), passed=True),
        result("c", CODE.format("n"), passed=False),
        result("d", None, passed=False),
        result(ANY_CANDIDATE, None, passed=True),
    ]
    task = make_task(results, "code")
    assert {member: is_right for member, (is_right, _) in task.attempts.items()} == {"a": True, "b": True, "c": False}
    assert task.attempts["a"][1] == task.attempts["b"][1] != task.attempts["c"][1]
