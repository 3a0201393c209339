"""From a model's failure to the sentence that helps its operator. Pure: it reads what happened, and asks nobody."""

import difflib
import errno
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from config.settings import Model, Secret
from upstream.errors import CallError, Kind

_LOOKS_UNKNOWN = re.compile(
    r"model_not_found|(?:no|unknown|invalid|not a valid) (?:such )?model"
    r"|model\b.{0,120}\b(?:not found|not exist|does(?:n't| not) exist|unknown|no longer|not available|unavailable)"
    r"|unable to access model|no endpoints found",
    re.IGNORECASE | re.DOTALL,
)
_LOOKS_UNPAID = re.compile(r"quota|billing|credit|balance|payment|prepaid|spending limit", re.IGNORECASE)
_LOOKS_LIMITED = re.compile(r"max_(?:completion_|output_)?tokens|output limit", re.IGNORECASE)
_LOOKS_CUT_SHORT = re.compile(r"limit was reached|could not finish", re.IGNORECASE)
_VERSIONED = re.compile(r"/v\d\w*$")
_NO_PATH = frozenset({404, 405})
_MAX_GUESSES = 6
_N_NEAR = 3


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside the failure.

    `listed` are the ids that the upstream lists (None: it does not say), `elsewhere` a base URL at which the same
    question was understood, `proxies` the environment's variables for proxies, which the gateway does not use.
    """

    listed: frozenset[str] | None = None
    elsewhere: str | None = None
    proxies: Sequence[str] = ()


def sentence(error: CallError, model: Model, around: Circumstances) -> str:
    """Return what is wrong and what to do about it, in one sentence without any key."""
    if model.weights is not None:
        return error.message
    return next(filter(None, (read(error, model, around) for read in _READINGS)), _said(error))


def may_be_elsewhere(error: CallError) -> bool:
    """Whether the failure looks as if the base URL led to no chat API at all."""
    return (
        error.status in _NO_PATH
        or error.kind in (Kind.UNPARSABLE, Kind.DISCONNECTED)
        or (error.status is not None and 300 <= error.status < 400)  # noqa: PLR2004
    )


def is_understood(error: CallError) -> bool:
    """Whether a refusal shows that a chat API is there: it says what is wrong with the question, or with its asker."""
    if error.kind in (Kind.AUTH, Kind.RATE_LIMITED, Kind.CONTEXT_LENGTH):
        return True
    if error.kind is not Kind.REJECTED or error.message == f"HTTP {error.status}":
        return False
    return error.status in (400, 402, 422) or bool(_LOOKS_UNKNOWN.search(error.message))


def objects_to_limit(error: CallError) -> bool:
    """Whether a refusal is about how many tokens were asked for, or by which name."""
    return error.kind is Kind.REJECTED and error.status in (400, 422) and bool(_LOOKS_LIMITED.search(error.message))


def is_cut_short(error: CallError) -> bool:
    """Whether a refusal says that the model did answer, at a greater length than it may."""
    return objects_to_limit(error) and bool(_LOOKS_CUT_SHORT.search(error.message))


def guesses(base_url: str) -> list[str]:
    """Return the base URLs on the same host that an operator may have meant, likeliest first."""
    parts = urlsplit(base_url)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    once = re.sub(r"(/v\d\w*)(?:/v\d\w*)+", r"\1", path)
    bare = _VERSIONED.sub("", once)
    paths = [once, f"{bare}/v1", bare, "/v1", "/api/v1", f"{once}/openai", "/openai/v1"]
    urls = dict.fromkeys(f"{origin}{each}" for each in paths)
    return [url for url in urls if url != base_url][:_MAX_GUESSES]


def _unpaid(error: CallError, model: Model, _around: Circumstances) -> str:
    is_unpaid = error.status in (400, 403, 429) and _LOOKS_UNPAID.search(error.message)
    if error.status != 402 and not is_unpaid:  # noqa: PLR2004
        return ""
    return f"no quota or credit is left at {_host(model)} ({_said(error)}): see to billing there"


def _unreachable(error: CallError, model: Model, around: Circumstances) -> str:
    if error.kind is not Kind.CONNECT:
        return ""
    host = _host(model)
    match error.__cause__:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as wrong):
            return f"the certificate of {host} is not accepted ({wrong.verify_message}): see base_url, and its issuer"
        case aiohttp.ClientConnectorSSLError():
            return f"TLS with {host} fails: if it speaks plain HTTP, write http:// in base_url"
        case aiohttp.ClientConnectorDNSError():
            told = f"the name {urlsplit(model.base_url).hostname} cannot be resolved: see base_url"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=errno.ECONNREFUSED)):
            told = f"nothing listens at {host}: start {model.provider or 'the upstream'}, or correct base_url"
        case aiohttp.ClientConnectorError(os_error=OSError() as wrong):
            told = f"cannot connect to {host} ({wrong.strerror or wrong})"
        case _:
            told = f"cannot connect to {host}"
    return f"{told}{_detour(around)}"


def _silent(error: CallError, model: Model, around: Circumstances) -> str:
    if error.kind is not Kind.TIMEOUT or error.status is not None:
        return ""
    return f"{error.message} from {_host(model)}{_detour(around)}"


def _refused_key(error: CallError, model: Model, _around: Circumstances) -> str:
    if error.kind is not Kind.AUTH:
        return ""
    secrets = [model.api_key] if model.api_key else [*model.headers.values()]
    if not secrets:
        return f"{_host(model)} wants a key ({_said(error)}), and none is configured: add api_key"
    return (
        f"the key from {sources(secrets)} is refused ({_said(error)}): is it one for {_host(model)}, and still valid?"
    )


def _limited(error: CallError, _model: Model, _around: Circumstances) -> str:
    if error.kind is not Kind.RATE_LIMITED:
        return ""
    later = "later" if error.retry_after_s is None else f"in {error.retry_after_s:.0f} s"
    return f"rate limited ({_said(error)}): the upstream is there, and takes the key; try again {later}"


def _failing(error: CallError, model: Model, _around: Circumstances) -> str:
    if error.kind is not Kind.SERVER_ERROR:
        return ""
    if error.status == 501:  # noqa: PLR2004 -- RFC 9110: the server does not know the method
        return f"{_host(model)} has no chat API here ({_said(error)}): see base_url"
    return f"{_host(model)} fails ({_said(error)}): the fault is there, try again later"


def sources(secrets: Sequence[Secret]) -> str:
    """Return where keys came from, each place once."""
    return ", ".join(dict.fromkeys(secret.source for secret in secrets))


def _unknown(error: CallError, model: Model, around: Circumstances) -> str:
    listed = around.listed or frozenset()
    is_unlisted = bool(listed) and model.model not in listed and error.status == 404  # noqa: PLR2004
    if error.kind is not Kind.REJECTED or not (is_unlisted or _LOOKS_UNKNOWN.search(error.message)):
        return ""
    return f"{_host(model)} has no model {model.model!r}{_near(model.model, listed)}"


def _near(wanted: str, listed: frozenset[str]) -> str:
    """Return a question for what was meant: ids that are spelled alike, or that hold the word or are held in it."""
    folded = {each.casefold(): each for each in sorted(listed)}
    alike = difflib.get_close_matches(wanted.casefold(), folded, n=_N_NEAR)
    last = wanted.casefold().rpartition("/")[2]
    holding = [each for each in folded if last in each or (each and each in last)]
    near = [folded[each] for each in dict.fromkeys([*alike, *holding])][:_N_NEAR]
    if near:
        return f": did you mean {', '.join(near)}?"
    return f"; it lists {', '.join(sorted(listed)[:_N_NEAR])}{' …' if len(listed) > _N_NEAR else ''}" if listed else ""


def _no_chat(error: CallError, model: Model, around: Circumstances) -> str:
    if not may_be_elsewhere(error):
        return ""
    what = f"there is no chat API at {model.base_url}/chat/completions ({_said(error)})"
    if around.elsewhere:
        return f"{what}; there is one at base_url: {around.elsewhere}"
    if model.base_url.startswith("http://") and error.status not in _NO_PATH:
        return f"{what}: see base_url; if the upstream speaks TLS, it begins with https://"
    return f"{what}: see base_url, which mostly ends in /v1"


def _detour(around: Circumstances) -> str:
    if not around.proxies:
        return ""
    return f"; {around.proxies[0]} is set, but the gateway connects directly, without a proxy"


def _said(error: CallError) -> str:
    """Return the upstream's own words, in one line that no terminal takes for a command."""
    words = "".join(character if character.isprintable() else " " for character in error.message).strip()
    status = f"HTTP {error.status}"
    return words if error.status is None or words.startswith(status) else f"{status}: {words}"


def _host(model: Model) -> str:
    return urlsplit(model.base_url).netloc


_READINGS = (_unpaid, _unreachable, _silent, _refused_key, _limited, _failing, _unknown, _no_chat)
