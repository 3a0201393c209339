"""A child process that serves one GGUF with llama.cpp's own OpenAI server; started by llama_process.py.

It reads one JSON line of settings from stdin (so that no key is on a command line), writes one JSON line to stdout,
`{"port": …}` when it listens or `{"error": …}`, and then serves until stdin ends: when the gateway is gone, however
it went, so is the child. It is run as a script in a bare environment, and imports nothing of the gateway.
"""

import json
import os
import signal
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

_BATCH_TOKENS = 128  # how long a prompt is worked on before a cancelled call is noticed, and others get their turn
_PROMPT_CACHE_MIB = 512  # prompts of past calls, so that a critic's conversation is warm; llama.cpp would take 8 GiB


def main() -> None:
    """Serve until stdin ends; exit code 1 where the model can't be loaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is the gateway's business
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed goes to the log
    settings = json.loads(sys.stdin.buffer.readline())
    _end_with_stdin()
    try:
        server = _serve(settings)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the gateway is told
        print(json.dumps({"error": str(error)}), file=answer_to, flush=True)
        os._exit(1)
    print(json.dumps({"port": urlsplit(server.listening_address).port}), file=answer_to, flush=True)
    threading.Event().wait()


def _end_with_stdin() -> None:
    """Leave at once at the end of stdin, with `os._exit`: an orderly end hangs while a token is being made.

    A thread waits for it, which cannot run while a model is being loaded: the runtime holds the interpreter's lock
    for those seconds. Where the system can, it therefore also sends a signal whose default is to end the process.
    """
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 -- not on Windows

        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _serve(settings: dict[str, Any]) -> Any:
    """Return the running server. Port 0 lets the system choose a free one, so nothing races for it."""
    import xllamacpp  # noqa: PLC0415 -- its import fails with a reason that the gateway is told

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["name"]}
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["context_tokens"] * settings["slots"]  # llama.cpp splits it over the slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.n_batch = params.n_ubatch = _BATCH_TOKENS
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["api_key"]]
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
