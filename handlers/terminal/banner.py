"""What is printed at the start: where the gateway is, what it serves, and lines to paste. Pure."""

import ipaddress

from config.settings import Server, Settings

_QUESTION = '[{"role":"user","content":"Reverse a string in Python"}]'
_KEY = "YOUR_KEY"
_ANY_KEY = "123"


def banner(settings: Settings, port: int, *, has_pages: bool = False) -> str:
    """Return the lines, with the port that the gateway really has; `has_pages`: there is something to see at /ui."""
    mixture = settings.mixtures[0].name
    keys = settings.server.api_keys
    lines = [f"Mixture-of-Models Gateway on http://{_authority(settings.server.host, port)}/v1"]
    for each in settings.mixtures:
        panel = ", ".join(proposer.name for proposer in each.panel)
        lines.append(f"  {each.name}: panel {panel}; critic {each.critic.model}; mode {each.mode}")
    if any(model.weights is not None for model in settings.models):
        lines.append(
            "  The embedded models are tiny, for a first look; put hosted ones into config.yaml for real work."
        )
    if has_pages:
        lines.append(f"  See what they do: http://{_authority(_local(settings.server.host), port)}/ui")
    if keys:
        lines.append(f"  {_KEY} below is the key of {' or '.join(key.name for key in keys)}.")
    lines += ["Try:", f"  {_httpie(settings.server, port, mixture)}", f"  {_aider(settings.server, port, mixture)}"]
    return "\n".join(lines)


def _httpie(server: Server, port: int, mixture: str) -> str:
    local = _local(server.host)
    where = f":{port}" if local == "127.0.0.1" else _authority(local, port)
    key = f"-A bearer -a {_KEY} " if server.api_keys else ""
    return f"http {key}{where}/v1/chat/completions model={mixture} messages:='{_QUESTION}'"


def _aider(server: Server, port: int, mixture: str) -> str:
    base = f"http://{_authority(_local(server.host), port)}/v1"
    key = _KEY if server.api_keys else _ANY_KEY
    return f"LM_STUDIO_API_BASE={base} LM_STUDIO_API_KEY={key} aider --model lm_studio/{mixture} --no-stream"


def _local(host: str) -> str:
    """Return by which address this machine itself reaches a gateway that listens at `host`."""
    if host in ("localhost", "0.0.0.0"):  # noqa: S104 -- compared, not listened on
        return "127.0.0.1"
    return "::1" if host == "::" else host


def _authority(host: str, port: int) -> str:
    try:
        is_v6 = ipaddress.ip_address(host).version == 6  # noqa: PLR2004
    except ValueError:
        is_v6 = False
    return f"[{host}]:{port}" if is_v6 else f"{host}:{port}"
