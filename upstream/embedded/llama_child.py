"""The program of a child process: serves one GGUF with llama.cpp's own OpenAI server. llama_process.py starts it.

It reads one line of JSON settings from stdin (so no key is on a command line), writes one line of JSON to stdout,
`{"port": …}` when it listens or `{"error": …}`, and then serves until stdin closes. The gateway holds the other end of
stdin, so the child ends with the gateway, even if that is killed. It runs as a script in a minimal environment and
imports nothing of the gateway.
"""

import json
import os
import signal
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

_BATCH_TOKENS = 128  # the part of a prompt after which a cancelled call is noticed and other slots get their turn
_PROMPT_CACHE_MIB = 512  # cached prompts, so that a critic's conversation is warm; llama.cpp's default is 8 GiB


def main() -> None:
    """Serve until stdin closes; exit code 1 if the model cannot be loaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the gateway handles Ctrl+C
    reply_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # all other output goes to the log
    settings = json.loads(sys.stdin.buffer.readline())
    _exit_with_stdin()
    try:
        server = _start_server(settings)
    except Exception as error:  # noqa: BLE001 -- reported to the gateway
        print(json.dumps({"error": str(error)}), file=reply_to, flush=True)
        os._exit(1)
    print(json.dumps({"port": urlsplit(server.listening_address).port}), file=reply_to, flush=True)
    threading.Event().wait()


def _exit_with_stdin() -> None:
    """Exit at once when stdin closes, with `os._exit`: a graceful exit hangs while a token is being computed.

    A thread waits for that, but it cannot run while a model is loaded, because the runtime holds the interpreter's lock
    for those seconds. On systems that support it, SIGIO is requested as well; its default action ends the process.
    """
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 -- not on Windows

        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_exit_at_end, daemon=True).start()


def _exit_at_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _start_server(settings: dict[str, Any]) -> Any:
    """Start the server and return it. With port 0 the system chooses a free one, so there is no race for it."""
    import xllamacpp  # noqa: PLC0415 -- a failing import is reported to the gateway

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
