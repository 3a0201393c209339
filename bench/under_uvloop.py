"""Run a Python program as `python PROGRAM ARGUMENTS` would, on the event loop of uvloop, which has to be installed."""

import importlib
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    importlib.import_module("uvloop").install()
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
