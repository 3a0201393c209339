# ruff: noqa: E501 -- a probe is a line
"""Hostile code has no effect: it reads and changes nothing of the machine, and the sandbox keeps working.

Each probe defines `probe()`, which returns "escaped" if it has reached what it should not; everything else is fine:
another value, an exception, or the end of its process.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from runtime.sandbox.trials import Check, Limits, Report, Trial
from tests.runtime.sandbox.boxes import PATIENT, each_box, opened

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="probes are of POSIX")

TIGHT = Limits(step_s=0.3, trial_s=1.0, memory_bytes=64 * 2**20)
HONEST = Trial("def double(x):\n    return 2 * x\n", (Check("double(21)", "42"),))

# {secret} is a world-writable file, {folder} its folder, {port} a port with a listener, {pid} this
# process, {marker} an environment variable that it has.
PROBES = {
    # files
    "read a file": "def probe():\n    return 'escaped' if 'treasure' in open('{secret}').read() else 0",
    "read a file by its descriptor": "import os\ndef probe():\n    return 'escaped' if os.read(os.open('{secret}', 0), 99) else 0",
    "read a file by pathlib": "from pathlib import Path\ndef probe():\n    return 'escaped' if Path('{secret}').read_text() else 0",
    "read a file by io": "import io\ndef probe():\n    return 'escaped' if io.open('{secret}').read() else 0",
    "read a file when imported": "open('{secret}').read()\ndef probe():\n    return 'escaped'",
    "overwrite a file": "def probe():\n    open('{secret}', 'w').write('gone')\n    return 'escaped'",
    "delete a file": "import os\ndef probe():\n    os.unlink('{secret}')\n    return 'escaped'",
    "make a file": "def probe():\n    open('{folder}/planted', 'w').write('x')\n    return 'escaped'",
    "make a link": "import os\ndef probe():\n    os.symlink('{secret}', '{folder}/link')\n    return 'escaped'",
    "list a folder": "import os\ndef probe():\n    return 'escaped' if os.listdir('{folder}') else 0",
    "read the passwords": "def probe():\n    return 'escaped' if open('/etc/passwd').read() else 0",
    "read by a relative path": "def probe():\n    return 'escaped' if open('../../../../../../..{secret}').read() else 0",
    "read another process's memory": "def probe():\n    return 'escaped' if open('/proc/{pid}/mem', 'rb').read(1) else 0",
    "read another process's environment": "def probe():\n    return 'escaped' if '{marker}' in open('/proc/{pid}/environ').read() else 0",
    "read through another process's root": "def probe():\n    return 'escaped' if open('/proc/{pid}/root{secret}').read() else 0",
    "read through process 1's root": "def probe():\n    return 'escaped' if open('/proc/1/root{secret}').read() else 0",
    "go to an old root": "import os\ndef probe():\n    return 'escaped' if os.listdir('/old') else 0",
    "break out of a chroot": "import os\ndef probe():\n    os.mkdir('jail')\n    os.chroot('jail')\n    for _ in range(64):\n        os.chdir('..')\n    os.chroot('.')\n    return 'escaped' if open('{secret}').read() else 0",
    "mount": "import ctypes\ndef probe():\n    return 'escaped' if ctypes.CDLL(None).mount(b'none', b'/', b'tmpfs', 0, None) == 0 else 0",
    "write a device": "def probe():\n    open('/dev/sda', 'wb').write(b'x')\n    return 'escaped'",
    "write to the interpreter": "import os\ndef probe():\n    open(os.__file__, 'w')\n    return 'escaped'",
    # the environment
    "read the environment": "import os\ndef probe():\n    return 'escaped' if '{marker}' in str(dict(os.environ)) else 0",
    "read one variable": "import os\ndef probe():\n    return 'escaped' if os.getenv('{marker}') else 0",
    "read its own environment's file": "def probe():\n    return 'escaped' if '{marker}' in open('/proc/self/environ').read() else 0",
    # the network
    "connect": "import socket\ndef probe():\n    socket.create_connection(('127.0.0.1', {port}), 1)\n    return 'escaped'",
    "connect by name": "import socket\ndef probe():\n    return 'escaped' if socket.gethostbyname('example.com') else 0",
    "connect far away": "import socket\ndef probe():\n    socket.create_connection(('192.0.2.1', 80), 1)\n    return 'escaped'",
    "fetch a page": "from urllib.request import urlopen\ndef probe():\n    return 'escaped' if urlopen('http://127.0.0.1:{port}/', timeout=1) else 0",
    "connect to a local socket": "import socket\ndef probe():\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('{folder}/socket')\n    return 'escaped'",
    "connect to an abstract socket": "import socket\ndef probe():\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('\\0mom-hostile-{pid}')\n    return 'escaped'",
    "make a raw socket": "import socket\ndef probe():\n    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\n    return 'escaped'",
    "connect to the machine's host": "import socket\ndef probe():\n    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)\n    return 'escaped'",
    "make a socket by a ring": "import ctypes\ndef probe():\n    return 'escaped' if ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(120)) >= 0 else 0",
    # processes and signals
    "lower its parent's limits": "import os, resource\ndef probe():\n    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (1, 1))\n    return 'escaped'",
    "starve process 1": "import resource\ndef probe():\n    for limit in range(16):\n        resource.prlimit(1, limit, (0, 0))\n    return 'escaped'",
    "interrupt process 1": "import os, signal\ndef probe():\n    for n in range(1, 65):\n        try: os.kill(1, n)\n        except OSError: pass\n    return 0",
    "keep a key": "import ctypes\ndef probe():\n    return 'escaped' if ctypes.CDLL(None).syscall(248, b'user', b'x', b'y', 1, -2) > 0 else 0",
    "read memory by a call": "import ctypes, os\ndef probe():\n    return 'escaped' if ctypes.CDLL(None).process_vm_readv(os.getppid(), 0, 0, 0, 0, 0) == 0 else 0",
    "make a user namespace": "import ctypes\ndef probe():\n    return 'escaped' if ctypes.CDLL(None).unshare(0x10000000) == 0 else 0",
    "clone into a namespace": "import ctypes, os\ndef probe():\n    pid = ctypes.CDLL(None).syscall(56, 0x10000011, 0, 0, 0, 0)\n    if pid == 0: os._exit(0)\n    return 'escaped' if pid > 0 else 0",
    "watch files outside": "import ctypes\ndef probe():\n    c = ctypes.CDLL(None)\n    return 'escaped' if c.inotify_add_watch(c.inotify_init(), b'{folder}', 0xfff) >= 0 else 0",
    "run a file without a name": "import os\ndef probe():\n    fd = os.memfd_create('x')\n    os.write(fd, b'#!/bin/sh\\ncat {secret}')\n    return 'escaped' if os.spawnv(os.P_WAIT, f'/proc/self/fd/{{fd}}', ['x']) == 0 else 0",
    "nest folders": "import os\ndef probe():\n    for _ in range(10 ** 5):\n        os.mkdir('d')\n        os.chdir('d')",
    "run a shell": "import os\ndef probe():\n    return 'escaped' if os.system('cat {secret} > /dev/null') == 0 else 0",
    "run a program": "import subprocess\ndef probe():\n    return 'escaped' if b'treasure' in subprocess.check_output(['cat', '{secret}']) else 0",
    "signal the gateway": "import os\ndef probe():\n    os.kill({pid}, 9)\n    return 'escaped'",
    "signal its parent": "import os\ndef probe():\n    os.kill(os.getppid(), 9)\n    return 0",
    "signal all": "import os\ndef probe():\n    os.kill(-1, 9)\n    return 0",
    "signal its group": "import os\ndef probe():\n    os.killpg(0, 9)\n    return 0",
    "trace its parent": "import ctypes, os\ndef probe():\n    return 'escaped' if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0 else 0",
    "read its parent's memory": "import os\ndef probe():\n    return 'escaped' if open(f'/proc/{{os.getppid()}}/mem', 'rb').read(1) else 0",
    "become root": "import os\ndef probe():\n    os.setresuid(0, 0, 0)\n    return 'escaped' if os.access('/proc/1/environ', 4) and '{marker}' in open('/proc/1/environ').read() else 0",
    "get privileges by a new namespace": "import ctypes\ndef probe():\n    c = ctypes.CDLL(None)\n    return 'escaped' if c.unshare(0x10000000) == 0 and c.mount(b'none', b'/usr', b'tmpfs', 0, None) == 0 and open('{secret}') else 0",
    "raise its limits": "import resource\ndef probe():\n    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)\n    return 'escaped'",
    "fork for ever": "import os\ndef probe():\n    while True:\n        try: os.fork()\n        except OSError: pass",
    "leave a process": "import os, time\ndef probe():\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(600)\n    return 0",
    "start threads for ever": "import threading, time\ndef probe():\n    while True:\n        threading.Thread(target=time.sleep, args=(600,)).start()",
    "exit": "import os\ndef probe():\n    os._exit(0)",
    "exit with an exception": "def probe():\n    raise SystemExit(0)",
    "abort": "import os\ndef probe():\n    os.abort()",
    "crash": "import ctypes\ndef probe():\n    ctypes.string_at(0)",
    # time
    "loop for ever": "def probe():\n    while True: pass",
    "loop for ever, and catch all": "def probe():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "loop for ever when imported": "while True: pass",
    "sleep": "import time\ndef probe():\n    time.sleep(600)",
    "ignore the alarm": "import signal, time\ndef probe():\n    signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    time.sleep(600)",
    "stop itself": "import os, signal\ndef probe():\n    os.kill(os.getpid(), signal.SIGSTOP)",
    "wait for input": "def probe():\n    input()",
    "wait at a pipe": "import os\ndef probe():\n    r, w = os.pipe()\n    os.read(r, 1)",
    "compute a great power": "def probe():\n    return 7 ** 7 ** 9",
    "compute many digits": "def probe():\n    return len(str(9 ** 9 ** 6))",
    "backtrack": "import re\ndef probe():\n    return re.match('(a+)+$', 'a' * 64 + 'b')",
    "sum without end": "def probe():\n    return sum(range(10 ** 15))",
    # memory
    "take memory at once": "def probe():\n    return len('x' * 10 ** 10)",
    "take memory in pieces": "def probe():\n    kept = []\n    while True: kept.append('x' * 10 ** 6 + str(len(kept)))",
    "take memory by doubling": "def probe():\n    a = [1]\n    while True: a = a + a",
    "take memory in numbers": "def probe():\n    n = 3\n    while True: n = n * n",
    "take memory by a comprehension": "def probe():\n    return [[i] * 1000 for i in range(10 ** 9)]",
    "fill the disk": "def probe():\n    for n in range(10 ** 6):\n        open(f'f{{n}}', 'wb').write(b'x' * 10 ** 6)",
    # recursion
    "recurse": "def probe():\n    return probe()",
    "recurse without a limit": "import sys\ndef probe():\n    sys.setrecursionlimit(10 ** 9)\n    def down(n): return down(n + 1)\n    return down(0)",
    "recurse in a repr": "class A:\n    def __repr__(self): return repr(self)\ndef probe():\n    return A()",
    "return a deep value": "def probe():\n    a = []\n    for _ in range(10 ** 5): a = [a]\n    return a",
    "return itself": "def probe():\n    a = []\n    a.append(a)\n    return a",
    "nest brackets": "def probe():\n    return eval('(' * 10 ** 5 + ')' * 10 ** 5)",
    # introspection
    "find a class that opens files": "def probe():\n    for c in ().__class__.__base__.__subclasses__():\n        if c.__name__ == 'FileLoader': return 'escaped' if c('x', '{secret}').get_data('{secret}') else 0",
    "climb to the caller's frame": "import sys\ndef probe():\n    return 'escaped' if 'treasure' in str(sys._getframe(1).f_back.f_builtins['open']('{secret}').read()) else 0",
    "use the built-ins of a function": "def probe():\n    return 'escaped' if probe.__globals__['__builtins__']['open']('{secret}').read() else 0",
    "import by name": "def probe():\n    return 'escaped' if __import__('os').popen('cat {secret}').read() else 0",
    "evaluate an import": "def probe():\n    return 'escaped' if eval(\"__import__('os').listdir('{folder}')\") else 0",
    "run code through a traceback": "def probe():\n    try: 1 / 0\n    except ZeroDivisionError as e: return 'escaped' if e.__traceback__.tb_frame.f_builtins['open']('{secret}').read() else 0",
    "unpickle a command": "import pickle\ndef probe():\n    return 'escaped' if pickle.loads(b\"cos\\nsystem\\n(S'cat {secret} >/dev/null'\\ntR.\") == 0 else 0",
    "call C": "import ctypes\ndef probe():\n    return 'escaped' if ctypes.CDLL(None).open(b'{secret}', 0) >= 0 else 0",
    # output
    "print for ever": "def probe():\n    while True: print('x' * 10 ** 6)",
    "print much": "def probe():\n    for _ in range(1000): print('x' * 10 ** 5)",
    "return much": "def probe():\n    return 'x' * (3 * 10 ** 7)",
    "raise much": "def probe():\n    raise ValueError('x' * (3 * 10 ** 7))",
    "show much": "class A:\n    def __repr__(self): return 'x' * (3 * 10 ** 7)\ndef probe():\n    return A()",
    "write to every descriptor": 'import os\ndef probe():\n    for n in range(64):\n        try: os.write(n, b\'["value", true, "escaped"]\\n\' * 1000)\n        except OSError: pass\n    return 0',
    "write empty lines to every descriptor": "import os\ndef probe():\n    for n in range(64):\n        try: os.write(n, b'\\n\\n\\n')\n        except OSError: pass\n    return 0",
    "write to every descriptor for ever": "import os\ndef probe():\n    while True:\n        for n in range(64):\n            try: os.write(n, b'x' * 10 ** 6)\n            except OSError: pass",
    "close every descriptor": "import os\ndef probe():\n    os.closerange(0, 64)\n    return 0",
    "lie about equality": "class A:\n    def __eq__(self, other): raise SystemExit\n    def __bool__(self): raise KeyboardInterrupt\ndef probe():\n    return A()",
}


@each_box
@pytest.mark.parametrize("probe", PROBES)
async def test_a_probe_gets_nowhere(box: str, probe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reaches nothing, changes nothing, ends soon, and honest code is observed after it as before."""
    monkeypatch.setenv("HOSTILE_MARKER", "1")
    secret = _tempting_file(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening, _local_sockets(tmp_path):
        listening.setblocking(False)
        source = PROBES[probe].format(
            secret=secret,
            folder=tmp_path,
            port=listening.getsockname()[1],
            pid=os.getpid(),
            marker="HOSTILE_MARKER",
        )
        async with opened(box) as session:
            async with asyncio.timeout(60):
                report = await session.observe(Trial(source, (Check("probe()", "0"),)), TIGHT)
            again = await session.observe(HONEST, PATIENT)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert not _escaped(report)
    assert [check.equal for check in again.checks] == [True]
    assert secret.read_text() == "treasure"
    assert sorted(os.listdir(tmp_path)) == ["secret", "socket"]  # noqa: PTH208 -- pathlib's is not for async functions


def _tempting_file(folder: Path) -> Path:
    """Make a file that every user may read and change."""
    secret = folder / "secret"
    secret.write_text("treasure")
    secret.chmod(0o666)
    for parent in (folder, *folder.parents[:2]):  # pytest's own, which are closed to others
        parent.chmod(0o777)
    return secret


def _escaped(report: Report) -> bool:
    return any("escaped" in check.shown for check in report.checks)


class _local_sockets:  # noqa: N801 -- used like a function
    """Listen at a socket in a folder and, on Linux, at an abstract one."""

    def __init__(self, folder: Path) -> None:
        names = [str(folder / "socket")] + ([f"\0mom-hostile-{os.getpid()}"] if sys.platform == "linux" else [])
        self._sockets = [(socket.socket(socket.AF_UNIX), name) for name in names]

    def __enter__(self) -> None:
        for listening, name in self._sockets:
            listening.bind(name)
            listening.listen()

    def __exit__(self, *_: object) -> None:
        for listening, _name in self._sockets:
            listening.close()


@each_box
async def test_a_successful_probe_would_be_noticed(box: str) -> None:
    """The word that a successful probe returns reaches the test."""
    async with opened(box) as session:
        report = await session.observe(Trial("def probe():\n    return 'escaped'", (Check("probe()", "0"),)), PATIENT)
    assert _escaped(report)


@each_box
async def test_a_trial_finds_nothing_of_another(box: str) -> None:
    """Everything that one candidate leaves, also outside its folder, is gone before the next one runs."""
    leave = "import os\ndef probe():\n    open('../left', 'w').write('x')\n    os.mkdir('../more')\n    os.symlink('/', '../link')"
    look = "import os\ndef probe():\n    return [name for name in os.listdir('..') if name != 'trial']"
    async with opened(box) as session:
        await session.observe(Trial(leave, (Check("probe()"),)), PATIENT)
        report = await session.observe(Trial(look, (Check("probe()", "[]"),)), PATIENT)
    assert report.checks[0].equal is not False


@each_box
async def test_a_process_left_behind_does_not_delay_the_report(box: str) -> None:
    """The report ends with its last check, and not with the processes that hold its pipe."""
    source = PROBES["leave a process"].replace("return 0", "return 42")
    async with opened(box) as session:
        async with asyncio.timeout(30):
            report = await session.observe(Trial(source, (Check("probe()", "42"),)), PATIENT)
    assert report.checks[0].equal is not False


@each_box
async def test_every_process_ends_with_its_session(box: str) -> None:
    """All processes of a sandbox end with it, those that were left by the code as well."""
    before = _children()
    async with opened(box) as session:
        await session.observe(Trial(PROBES["leave a process"], (Check("probe()"),)), TIGHT)
        await session.observe(Trial(PROBES["loop for ever"], (Check("probe()"),)), TIGHT)
    for _ in range(200):
        if _children() <= before:
            break
        await asyncio.sleep(0.05)  # a killed process is reaped by the runtime of the pool in its own time
    assert _children() <= before


def _children() -> set[str]:
    """Return the ids of this process's children and theirs."""
    found: set[str] = set()
    todo = [str(os.getpid())]
    while todo:
        for path in Path(f"/proc/{todo.pop()}/task").glob("*/children"):
            new = set(path.read_text().split()) - found
            found |= new
            todo += new
    return found
