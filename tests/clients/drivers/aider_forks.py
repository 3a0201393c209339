"""Runs aider any number of times, and imports it once: `python aider_forks.py` forks for each run.

Standard input has a JSON object a line: `argv`, `cwd`, `env`, and the files to write `stdout` and `stderr` to. For each
run the process id is printed, and then the exit code. A fork leads a session of its own. Between its tries aider does
not wait, which would take a minute in all.
"""

import json
import os
import sys
import time
from types import SimpleNamespace
from typing import Any

from aider import models
from aider.coders import base_coder
from aider.llm import litellm
from aider.main import main

litellm._load_litellm()  # aider's start takes 3 s of the processor, and two of them are this
models.time = base_coder.time = SimpleNamespace(**vars(time) | {"sleep": lambda _seconds: None})


def begin(run: dict[str, Any]) -> None:
    """Become the process of one run."""
    os.setsid()
    os.chdir(run["cwd"])
    os.environ.clear()
    os.environ.update(run["env"])
    files = [(0, os.devnull, os.O_RDONLY)]
    files += [(number, run[name], os.O_WRONLY | os.O_CREAT) for number, name in ((1, "stdout"), (2, "stderr"))]
    for number, path, mode in files:
        os.dup2(os.open(path, mode), number)
    sys.stdin = os.fdopen(0, closefd=False)  # the old one has read ahead
    sys.argv = ["aider", *run["argv"]]


for line in sys.stdin:
    run = json.loads(line)
    pid = os.fork()
    if pid == 0:
        begin(run)
        sys.exit(main())
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
