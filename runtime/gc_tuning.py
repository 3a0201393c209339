"""What the interpreter is told once the gateway serves. Figures in docs/performance.md."""

import gc

_COLLECT_AFTER = (20_000, 20, 20)


def tune() -> None:
    """Spare requests the garbage collector's work; call it when all is in place.

    What start-up has made stays for good: the garbage collector looks at it no more, and looks less often, for what a
    request leaves behind is mostly freed at once by its reference count.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
