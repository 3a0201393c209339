"""What synthesis needs of the pool."""

from synth.model_pool import ModelPool
from tests.synth.scripted_pool import ScriptedPool
from upstream.pool import Pool


def use(pool: ModelPool) -> float:
    return pool.clock()


async def test_the_pool_and_the_scripted_one_are_model_pools() -> None:
    """Mypy holds the signatures; here both are built and used."""
    pool = Pool([])
    try:
        assert use(pool) > 0
    finally:
        await pool.close()
    assert use(ScriptedPool({})) == 100
