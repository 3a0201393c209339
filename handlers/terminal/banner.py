"""Formats the banner of a start: address, mixtures, and commands to paste."""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from typing import TextIO

from config.settings import Server, Settings

_QUESTION = '[{"role":"user","content":"Reverse a string in Python"}]'
_KEY = "YOUR_KEY"
_ANY_KEY = "123"
_POLL_INTERVAL_S = 0.1


def format_banner(settings: Settings, port: int, *, has_pages: bool = False) -> str:
    """Return the banner; `port` is the port of the open socket, `has_pages` whether /ui shows traces."""
    mixture = settings.mixtures[0].name
    keys = settings.server.api_keys
    lines = [f"Mixture-of-Models Gateway on http://{join_host_port(settings.server.host, port)}/v1"]
    for each in settings.mixtures:
        critic = each.critic.model if each.critic else "none"
        lines.append(f"  {each.name}: panel {each.panel_summary}; critic {critic}; mode {each.mode}")
    if any(settings.model(name).weights is not None for name in settings.mixtures[0].used_models):
        lines.append("  The embedded models are tiny, for a first try, and too weak for agents such as Claude Code;")
        lines.append("  mom-gateway init (make init) sets up others.")
    if has_pages:
        lines.append(f"  Traces: http://{join_host_port(find_local_host(settings.server.host), port)}/ui")
    if keys:
        lines.append(f"  Replace {_KEY} below by the key of {' or '.join(key.name for key in keys)}.")
    httpie, aider = _format_httpie(settings.server, port, mixture), _format_aider(settings.server, port, mixture)
    return "\n".join([*lines, "Try:", f"  {httpie}", f"  {aider}"])


async def announce_readiness(stream: TextIO, not_ready: Callable[[], Sequence[str]]) -> None:
    """Write when the embedded models are ready, unless they are at once; `not_ready` returns the reasons."""
    if not not_ready():
        return
    _write_line(stream, "Loading the embedded models; GET /readyz shows their progress.")
    while not_ready():  # noqa: ASYNC110 -- one printed line does not justify an event in every child
        await asyncio.sleep(_POLL_INTERVAL_S)
    _write_line(stream, "Ready.")


def _write_line(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()


def _format_httpie(server: Server, port: int, mixture: str) -> str:
    local = find_local_host(server.host)
    where = f":{port}" if local == "127.0.0.1" else join_host_port(local, port)
    key = f"-A bearer -a {_KEY} " if server.api_keys else ""
    return f"http {key}{where}/v1/chat/completions model={mixture} messages:='{_QUESTION}'"


def _format_aider(server: Server, port: int, mixture: str) -> str:
    base = f"http://{join_host_port(find_local_host(server.host), port)}/v1"
    key = _KEY if server.api_keys else _ANY_KEY
    return f"LM_STUDIO_API_BASE={base} LM_STUDIO_API_KEY={key} aider --model lm_studio/{mixture} --no-stream"


def find_local_host(host: str) -> str:
    """Return the address by which this machine reaches a server that listens on `host`."""
    if host in ("localhost", "0.0.0.0"):  # noqa: S104 -- compared, not listened on
        return "127.0.0.1"
    return "::1" if host == "::" else host


def join_host_port(host: str, port: int) -> str:
    """Return the authority of a URL: an IPv6 address stands in brackets."""
    try:
        is_v6 = ipaddress.ip_address(host).version == 6  # noqa: PLR2004
    except ValueError:
        is_v6 = False
    return f"[{host}]:{port}" if is_v6 else f"{host}:{port}"
