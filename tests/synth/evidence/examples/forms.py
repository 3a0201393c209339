"""How tests of examples show what was read."""

from synth.evidence.examples import read_examples


def shown(text: str, **about: object) -> list[str]:
    """Return the examples in a text as people are shown them."""
    return [example.shown for example in read_examples(text, **about)]  # type: ignore[arg-type]
