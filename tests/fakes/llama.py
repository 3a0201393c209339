"""The real child program on a stand-in for its runtime: starts in a blink, and behaves as its "GGUF" says."""

import asyncio
import fcntl
import sys
from pathlib import Path

from upstream.embedded import llama_process

_RUNTIME = Path(__file__).with_name("runtime")
_CODE = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_path(sys.argv[2], run_name='__main__')"

PROGRAM = (sys.executable, "-P", "-c", _CODE, str(_RUNTIME), llama_process.PROGRAM[-1])


def gguf(folder: Path, kind: str) -> Path:
    """Return the path of a new "GGUF" of this kind; `tests/fakes/runtime/xllamacpp.py` lists them."""
    path = folder / f"{kind}.gguf"
    path.write_text(f"GGUF {kind}\n", encoding="utf-8")
    return path


async def alive(gguf_path: Path) -> None:
    """Wait until a child lives on this GGUF."""
    while not await asyncio.to_thread(_is_locked, _lock_path(gguf_path)):  # noqa: ASYNC110 -- another process's doing
        await asyncio.sleep(0.02)


async def dead(gguf_path: Path) -> None:
    """Wait until no child lives on this GGUF any more, whoever started it."""
    while await asyncio.to_thread(_is_locked, _lock_path(gguf_path)):  # noqa: ASYNC110 -- another process's doing
        await asyncio.sleep(0.02)


def _lock_path(gguf_path: Path) -> Path:
    return gguf_path.with_name(f"{gguf_path.name}.alive")


def _is_locked(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
