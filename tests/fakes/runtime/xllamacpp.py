"""The part of xllamacpp that the child program uses, without llama.cpp: the "GGUF" chooses the behaviour.

`GGUF serve` answers every GET with its settings, and no POST, though `<path>.asked` tells that there was one.
`GGUF refuse` fails to load as llama.cpp does, `GGUF die` ends without a word, and `GGUF hold` loads for ever and holds
the interpreter's lock. All hold a lock on `<path>.alive` for as long as they live.
"""

import ctypes
import fcntl
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class CommonParams(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace())


class Server:
    def __init__(self, params: Any) -> None:
        self._alive = Path(f"{params.model.path}.alive").open("ab")  # noqa: SIM115 -- held until the process ends
        fcntl.flock(self._alive, fcntl.LOCK_EX)
        kind = Path(params.model.path).read_text(encoding="utf-8").split()[1]
        if kind == "refuse":
            sys.stderr.write("0.00.003 E gguf_init: bad GGUF version: 0\n0.00.004 E srv load_model: failed\n")
            sys.stderr.flush()
            raise RuntimeError("Failed to init server")
        if kind == "die":
            os._exit(7)
        if kind == "hold":
            ctypes.PyDLL(None).pause()
        sys.stdout.write("noise that is no answer\n")
        sys.stdout.flush()
        self.listening_address = _serve(params)


def _serve(params: Any) -> str:
    told = {
        "pid": os.getpid(),
        "argv": Path("/proc/self/cmdline").read_text(encoding="utf-8") if Path("/proc/self").exists() else "",
        "environ": dict(os.environ),
        "params": json.loads(json.dumps(params, default=lambda it: list(it) if isinstance(it, set) else vars(it))),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            Path(f"{params.model.path}.asked").touch()
            threading.Event().wait()

    server = ThreadingHTTPServer((params.hostnames[0], params.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{params.hostnames[0]}:{server.server_address[1]}"
