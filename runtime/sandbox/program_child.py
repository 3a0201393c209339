"""The child process of `programs` inside the sandbox: reads a program from stdin, sets its own limits, and runs it.

It writes `ready` before the program, and the given word after it if the program ran to its end. The program's own
output is discarded. It uses only the standard library, because it runs without the gateway's modules.
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
