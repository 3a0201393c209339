"""The critic's prompt."""

import pytest

from synth.prompts import critic


@pytest.mark.parametrize("words", ["majority", "missing", "wrong", "single draft", "form", "Say nothing of drafts"])
def test_the_prompt_asks_for_every_duty_of_a_critic(words: str) -> None:
    """Reasoning over majority, gaps, errors, points that one draft makes, form, silence about the drafts."""
    assert words in critic.PROMPT


@pytest.mark.parametrize("field", ["{candidates}", "{count}", "{nonce}"])
def test_the_prompt_has_the_fields_that_are_filled_in(field: str) -> None:
    """The candidates and the nonce of their fences."""
    assert field in critic.PROMPT
