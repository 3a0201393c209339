"""Garbage collector settings, in an interpreter of their own."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import gc
from runtime.gc_tuning import tune
before = gc.get_freeze_count()
tune()
print(before, gc.get_freeze_count() > 0, gc.get_threshold()[0] > 700, gc.isenabled())
"""


def test_tuning_freezes_existing_objects_and_collects_less_often() -> None:
    """The collector stays on: a request may leave cycles behind."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["0", "True", "True", "True"]
