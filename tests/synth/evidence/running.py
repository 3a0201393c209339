"""The outcomes of tests in their plain form."""

from synth.evidence.plain_tests import write_plain_tests

HEAD = "import pytest, math\nimport unittest\nfrom pytest import approx, raises\nfrom unittest import TestCase\n"


def outcomes(source: str) -> dict[str, bool]:
    """Run the plain form of tests of our own, and return whether each passes."""
    plain = write_plain_tests(HEAD + source)
    assert plain is not None
    assert "import pytest" not in plain.source
    assert "unittest" not in plain.source
    names: dict[str, object] = {}
    exec(plain.source, names)
    passed: dict[str, bool] = {}
    for call in plain.calls:
        try:
            eval(call, names)
            passed[call] = True
        except AssertionError:
            passed[call] = False
    return passed
