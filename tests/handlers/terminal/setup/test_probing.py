"""Models are asked before a configuration with them is written."""

from handlers.terminal.setup.probing import find_problems
from tests.fakes import FakeUpstream, status
from tests.running import KEY, model, settings


async def test_only_models_that_do_not_answer_have_a_problem(upstream: FakeUpstream) -> None:
    """With the cause and the remedy, without the key."""
    upstream.script("bad", status(401, body={"error": {"message": f"Incorrect API key: {KEY}"}}))
    problems = await find_problems(settings([model("good", upstream), model("bad", upstream)]))
    assert list(problems) == ["bad"]
    assert problems["bad"].startswith("the key from FAKE_API_KEY is refused")
    assert KEY not in problems["bad"]
