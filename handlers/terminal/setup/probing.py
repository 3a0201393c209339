"""Asks the models of a configuration before it is written: a list of models proves neither key nor credit."""

from collections.abc import Mapping

from config.settings import Settings, Weights
from upstream.doctor.probe import Prober
from upstream.pool import Pool


async def find_problems(settings: Settings) -> Mapping[str, str]:
    """Ask every model, as `mom-gateway doctor` does; return the cause and remedy of each that does not answer, by name.

    No model may be embedded.
    """
    pool = Pool(settings.models)
    try:
        results = await Prober(pool, wait_until_loaded=_wait_for_nothing).probe_all(settings.models)
    finally:
        await pool.close()
    return {result.name: result.problem for result in results if result.problem}


async def _wait_for_nothing(_: Weights) -> str:
    return ""
