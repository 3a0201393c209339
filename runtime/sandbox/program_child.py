"""What runs inside the sandbox: takes a program from stdin, binds itself to limits, and runs it.

It says `ready` before, and the word it was given after, if the program ran to its end. What the program itself writes
goes nowhere. Uses nothing but the standard library, for it runs on its own.
"""

import json
import os
import resource
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the program on stdin: `files` by relative path, `main` among them, `limits` by name, `word`."""
    task = json.load(sys.stdin)
    for name, content in task["files"].items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content, encoding="utf-8")
    for name, limit in task["limits"].items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    told = os.dup(1)
    os.write(told, b"ready\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_path(task["main"], run_name="__main__")
    os.write(told, task["word"].encode())


if __name__ == "__main__":
    main()
