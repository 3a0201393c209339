"""The run of one request."""

from tests.synth.scripted_pool import scene


async def test_a_new_call_is_on_the_ledger_with_the_run_s_deadline() -> None:
    """Unless it has an earlier one of its own."""
    run = scene({"a": "x"}).run
    call = run.call("a", "critic", (), params={})
    earlier = run.call("a", "verifier", (), params={}, deadline=run.started + 1)
    assert run.ledger.calls == [call, earlier]
    assert (call.deadline, earlier.deadline) == (run.deadline, run.started + 1)


async def test_elapsed_time_is_the_pool_s() -> None:
    """Tests and replays move the clock themselves."""
    stage = scene({"a": "x"})
    stage.pool.now += 2.5
    assert stage.run.elapsed_s() == 2.5
