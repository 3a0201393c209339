"""Garbage collector settings for a process that serves requests. Measured in docs/performance.md."""

import gc

_COLLECT_AFTER = (20_000, 20, 20)


def tune() -> None:
    """Make the collector skip what exists now, and run less often; call it once when start-up is complete.

    The objects of start-up stay for the life of the process, so scanning them finds nothing. Those of a request are
    nearly all freed by their reference counts as soon as it ends.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
