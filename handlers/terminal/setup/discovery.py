"""Finds the upstreams that a new configuration can use: providers whose keys are set, and servers on this machine."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from config.providers import PROVIDERS
from config.settings import Secret, Server
from config.values import is_same_address
from handlers.terminal.setup.choice import Offer
from upstream.dialects import DIALECTS
from upstream.doctor.model_list import ModelList, fetch_model_list
from upstream.http.client import Endpoint
from upstream.redact import redact

LIMIT_S = 15.0
LOCAL = ("ollama", "lmstudio")
"""The servers to look for; vLLM only if it is named, because the gateway uses its default port."""

SERVERS = (*LOCAL, "vllm")
HOSTED = tuple(name for name, provider in PROVIDERS.items() if provider.key_variable)
_LOCAL_LIMIT_S = 3.0
_OTHER_VARIABLES = {"google": ("GOOGLE_API_KEY",), "huggingface": ("HUGGINGFACE_HUB_TOKEN", "HUGGINGFACE_API_KEY")}
_REFUSED = frozenset({400, 401, 403})  # Google answers 400 to a wrong key
_KEY = re.compile(r"(?!.*\$\{)[!-~]+")  # .env would read a variable in ${


@dataclass(frozen=True, slots=True)
class Candidate:
    """An upstream to ask: a provider, its base URL, and its key; `variable` is where the key came from."""

    provider: str
    base_url: str
    variable: str | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it is a server that needs no key."""
        return self.provider in SERVERS

    @property
    def host(self) -> str:
        """The host and port of the base URL."""
        return urlsplit(self.base_url).netloc


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of asking a candidate: the models that it lists, or the `problem`, a sentence with the remedy."""

    candidate: Candidate
    models: ModelList
    problem: str = ""

    @property
    def offers(self) -> list[Offer]:
        """The models that may be proposed."""
        name, is_local = self.candidate.provider, self.candidate.is_local
        return [Offer(name, each, is_local=is_local, price=self.models.prices.get(each)) for each in self.models.ids]


def list_candidates(
    environ: Mapping[str, str], *, only: Iterable[str] = (), base_urls: Mapping[str, str] | None = None
) -> list[Candidate]:
    """Return the providers whose keys are set in `environ`, and the local servers that may run.

    `only` restricts them to these providers. `base_urls` replace addresses; without one, a variable such as
    OPENAI_BASE_URL does, because the key beside it is a key for that address. The gateway's own address is left out:
    its clients have it set.
    """
    wanted = set(only) or {*HOSTED, *LOCAL, *(base_urls or {})}
    found = []
    for name in (*HOSTED, *SERVERS):
        if name not in wanted:
            continue
        base_url = (base_urls or {}).get(name) or _find_base_url(name, environ)
        variable, key = find_key(name, environ)
        if (name in SERVERS or key) and not _is_gateway(base_url):
            found.append(Candidate(name, base_url, variable, key))
    return found


def find_key(provider: str, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the variable that holds a provider's key, and the key, or (None, None) if no key is set."""
    usual = PROVIDERS[provider].key_variable
    for variable in (usual, *_OTHER_VARIABLES.get(provider, ())):
        if variable and (key := environ.get(variable, "").strip()):
            return variable, key
    return None, None


async def ask_candidates(candidates: Iterable[Candidate]) -> list[Finding]:
    """Ask all candidates for their models at once, each for at most LIMIT_S seconds."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ask(candidate)) for candidate in candidates]
    return [task.result() for task in tasks]


async def _ask(candidate: Candidate) -> Finding:
    if candidate.key is not None and not _KEY.fullmatch(candidate.key):
        reason = f"{candidate.variable} is no key: it has blanks, ${{ or characters outside ASCII"
        return Finding(candidate, ModelList(), reason)
    secret = None if candidate.key is None else Secret(candidate.key, candidate.variable or "")
    models = await fetch_model_list(
        Endpoint(candidate.base_url, secret),
        {},
        dialect=DIALECTS[PROVIDERS[candidate.provider].api],
        provider=candidate.provider,
        timeout_s=_LOCAL_LIMIT_S if candidate.is_local else LIMIT_S,
    )
    return Finding(candidate, models, "" if models.ids else _explain(candidate, models))


def _explain(candidate: Candidate, models: ModelList) -> str:
    host = candidate.host
    if models.status is None:
        reason = redact(models.reason, [candidate.key] if candidate.key else [])
        return f"{host} cannot be reached ({reason})"
    if models.status in _REFUSED and candidate.variable:
        return (
            f"{candidate.variable} is refused by {host} (HTTP {models.status}): is it a key for {candidate.provider}, "
            "and still valid?"
        )
    if models.status == 200:  # noqa: PLR2004
        return f"{host} lists no models"
    return f"{host} gives no list of models (HTTP {models.status}); name them with --model {candidate.provider}/ID"


def _find_base_url(provider: str, environ: Mapping[str, str]) -> str:
    given = environ.get(f"{provider.upper()}_BASE_URL", "").strip().rstrip("/")
    if given.startswith(("http://", "https://")):
        is_bare = provider == "anthropic" and not given.endswith("/v1")  # as its SDK takes it
        return f"{given}/v1" if is_bare else given
    if provider == "ollama" and (host := environ.get("OLLAMA_HOST", "").strip()):
        return _read_ollama_host(host)
    return PROVIDERS[provider].base_url


def _read_ollama_host(host: str) -> str:
    """Return the base URL for OLLAMA_HOST: `host`, `host:port` or a URL; the address to listen on may be a wildcard."""
    url = host if "://" in host else f"http://{host}"
    parts = urlsplit(url.rstrip("/"))
    name = (parts.hostname or "127.0.0.1").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 -- replaced, not listened on
    try:
        port = parts.port or 11434
    except ValueError:
        return PROVIDERS["ollama"].base_url
    return f"{parts.scheme}://{f'[{name}]' if ':' in name else name}:{port}/v1"


def _is_gateway(base_url: str) -> bool:
    server = Server()
    return is_same_address(base_url, server.host, server.port)
