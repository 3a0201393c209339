"""Real weights for the tests that need them, installed once, by the product's own code."""

import os
from pathlib import Path

import pytest

from config.locations import models_folder
from upstream.embedded.install import CATALOGUE, WeightsError, install

SMOLLM2 = "smollm2-135m"


async def models_dir_with_smollm2() -> Path:
    """Return the cache folder, with SmolLM2-135M in it; skips the test where it can't be installed.

    Tests in several processes may ask at once: the first one downloads 98 MB, the others wait for it.
    """
    models_dir = models_folder(os.environ)
    try:
        await install(CATALOGUE[SMOLLM2], models_dir, on_progress=lambda *_: None)
    except WeightsError as error:
        pytest.skip(f"needs real weights: {error}")
    return models_dir
