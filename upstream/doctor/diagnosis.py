"""Explains the failure of a model to its operator: the cause and the remedy in one sentence. Pure."""

import difflib
import errno
import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from config.providers import PROVIDERS
from config.settings import Model, Secret
from upstream.dialects import dialect_of
from upstream.errors import CallError, Kind

_MEANS_UNKNOWN = re.compile(
    r"model_not_found|(?:no|unknown|invalid|not a valid) (?:such )?model|^(?:HTTP 404: )?model: \S+$"
    r"|model\b.{0,120}\b(?:not found|not exist|does(?:n't| not) exist|unknown|no longer|not available|unavailable)"
    r"|unable to access model|no endpoints found for",
    re.IGNORECASE | re.DOTALL,
)
_MEANS_UNPAID = re.compile(r"quota|billing|credit|balance|payment|prepaid|spending limit", re.IGNORECASE)
_MEANS_NO_FREE_QUOTA = re.compile(r"\blimit: 0\b")  # Gemini: the free tier does not have this model
_MEANS_REFUSED_KEY = re.compile(
    r"api[ _]key[^.]{0,40}(?:not valid|invalid|expired|not found)|invalid api[ _]key", re.IGNORECASE
)
_MEANS_DATA_POLICY = re.compile(r"data policy", re.IGNORECASE)
_MEANS_PATH = re.compile(
    r"^(?:404|405)?\s*(?:page |resource )?(?:not found|method not allowed)\.?$"
    r"|\b(?:url|route|routes|path|page|resource)\b|/chat/completions|/v1\b|cannot post",
    re.IGNORECASE,
)
_OFFLINE_ERRNOS = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_MEANS_LIMITED = re.compile(r"max_(?:completion_|output_)?tokens|output limit", re.IGNORECASE)
_MEANS_CUT_SHORT = re.compile(r"limit was reached|could not finish", re.IGNORECASE)
_VERSIONED = re.compile(r"/v\d\w*$")
_NO_PATH = frozenset({404, 405})
_MAX_GUESSES = 6
_N_NEAR = 3


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Facts that were found beside the failure.

    `listed` are the ids that the upstream lists, or None if it gives no list. `elsewhere` is a base URL that
    understood the same request. `proxies` are the proxy variables of the environment, which the gateway ignores.
    """

    listed: frozenset[str] | None = None
    elsewhere: str | None = None
    proxies: Sequence[str] = ()


def explain(error: CallError, model: Model, circumstances: Circumstances) -> str:
    """Return the cause and the remedy in one sentence, without keys."""
    if model.weights is not None:
        return error.message
    explanations = (explanation(error, model, circumstances) for explanation in _EXPLANATIONS)
    return next(filter(None, explanations), quote(error))


def may_be_elsewhere(error: CallError) -> bool:
    """Whether the failure suggests that there is no chat API at the base URL.

    A 404 alone does not: APIs also send it for an unknown model or for a setting of the account, and then say so.
    """
    return (
        (error.status in _NO_PATH and (_has_no_words(error) or bool(_MEANS_PATH.search(error.message))))
        or error.kind in (Kind.UNPARSABLE, Kind.DISCONNECTED)
        or (error.status is not None and 300 <= error.status < 400)  # noqa: PLR2004
    )


def _has_no_words(error: CallError) -> bool:
    return error.message in ("", f"HTTP {error.status}")


def is_without_network(error: CallError) -> bool:
    """Whether a connection failed in a way that suggests that this machine has no network, or no DNS."""
    match error.__cause__:
        case aiohttp.ClientConnectorDNSError():
            return True
        case aiohttp.ClientConnectorError(os_error=OSError(errno=number)):
            return number in _OFFLINE_ERRNOS
    return False


def is_understood(error: CallError) -> bool:
    """Whether an error shows that there is a chat API: it is about the request, or about the key."""
    if error.kind in (Kind.AUTH, Kind.RATE_LIMITED, Kind.CONTEXT_LENGTH):
        return True
    if error.kind is not Kind.REJECTED or error.message == f"HTTP {error.status}":
        return False
    return error.status in (400, 402, 422) or bool(_MEANS_UNKNOWN.search(error.message))


def objects_to_limit(error: CallError) -> bool:
    """Whether an error is about the token limit."""
    return error.kind is Kind.REJECTED and error.status in (400, 422) and bool(_MEANS_LIMITED.search(error.message))


def is_cut_short(error: CallError) -> bool:
    """Whether an error says that the model answered and was cut off by the token limit."""
    return objects_to_limit(error) and bool(_MEANS_CUT_SHORT.search(error.message))


def guess_base_urls(base_url: str) -> list[str]:
    """Return base URLs on the same host that the operator may have meant, most likely first."""
    parts = urlsplit(base_url)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    once = re.sub(r"(/v\d\w*)(?:/v\d\w*)+", r"\1", path)
    bare = _VERSIONED.sub("", once)
    paths = [once, f"{bare}/v1", bare, "/v1", "/api/v1", f"{once}/openai", "/openai/v1"]
    urls = dict.fromkeys(f"{origin}{each}" for each in paths)
    return [url for url in urls if url != base_url][:_MAX_GUESSES]


def _explain_no_credit(error: CallError, model: Model, _circumstances: Circumstances) -> str:
    if error.status == 429:  # noqa: PLR2004 -- "quota" is also the word for a limit per minute, then with a delay
        is_unpaid = error.should_retry is False or bool(_MEANS_NO_FREE_QUOTA.search(error.message))
    else:
        is_unpaid = error.status == 402 or (error.status in (400, 403) and bool(_MEANS_UNPAID.search(error.message)))  # noqa: PLR2004
    if not is_unpaid:
        return ""
    return f"no quota or credit is left at {_host(model)} ({quote(error)}): check billing there"


def _explain_no_connection(error: CallError, model: Model, circumstances: Circumstances) -> str:
    if error.kind is not Kind.CONNECT:
        return ""
    host = _host(model)
    match error.__cause__:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as wrong):
            return (
                f"the certificate of {host} is not accepted ({wrong.verify_message}): "
                "check base_url and the certificate's issuer"
            )
        case aiohttp.ClientConnectorSSLError():
            return f"TLS with {host} fails: if it speaks plain HTTP, write http:// in base_url"
        case aiohttp.ClientConnectorDNSError():
            cause = f"the name {urlsplit(model.base_url).hostname} cannot be resolved: {_check_name(model)}"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=errno.ECONNREFUSED)):
            cause = f"nothing listens at {host}: start {_name_server(model)}, or correct base_url"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=number)) if number in _OFFLINE_ERRNOS:
            cause = f"there is no network route to {host} ({os.strerror(number)}): is this machine online?"
        case aiohttp.ClientConnectorError(os_error=OSError() as wrong):
            cause = f"cannot connect to {host} ({wrong.strerror or wrong})"
        case _:
            cause = f"cannot connect to {host}"
    return f"{cause}{_mention_proxy(circumstances)}"


def _check_name(model: Model) -> str:
    """Return the remedy for a name that DNS does not have: the URLs of known providers are right."""
    provider = PROVIDERS.get(model.provider or "")
    is_known = provider is not None and provider.base_url == model.base_url
    return "is this machine online, and does its DNS work?" if is_known else "check base_url, and that DNS works"


def _name_server(model: Model) -> str:
    """Return what should listen: a local server by its name, or any other behind the API of a hosted provider."""
    provider = PROVIDERS.get(model.provider or "")
    return "the server" if provider is None or provider.key_variable else str(model.provider)


def _explain_timeout(error: CallError, model: Model, circumstances: Circumstances) -> str:
    if error.kind is not Kind.TIMEOUT or error.status is not None:
        return ""
    remedy = ": raise timeout_s if it is only slow" if error.message.startswith("no complete answer") else ""
    return f"{error.message} from {_host(model)}{remedy}{_mention_proxy(circumstances)}"


def _explain_refused_key(error: CallError, model: Model, _circumstances: Circumstances) -> str:
    if error.kind is not Kind.AUTH and not (error.status == 400 and _MEANS_REFUSED_KEY.search(error.message)):  # noqa: PLR2004
        return ""
    secrets = [model.api_key] if model.api_key else [*model.headers.values()]
    if not secrets:
        return f"{_host(model)} requires a key ({quote(error)}), and none is configured: add api_key"
    return (
        f"the key from {list_sources(secrets)} is refused ({quote(error)}): "
        f"is it a key for {_host(model)}, and still valid?"
    )


def _explain_rate_limit(error: CallError, _model: Model, _circumstances: Circumstances) -> str:
    if error.kind is not Kind.RATE_LIMITED:
        return ""
    later = "later" if error.retry_after_s is None else f"in {error.retry_after_s:.0f} s"
    return f"rate limited ({quote(error)}): the upstream works and accepts the key; try again {later}"


def _explain_server_error(error: CallError, model: Model, _circumstances: Circumstances) -> str:
    if error.kind is not Kind.SERVER_ERROR:
        return ""
    if error.status == 501:  # noqa: PLR2004 -- RFC 9110: the server does not know the method
        return f"{_host(model)} has no chat API here ({quote(error)}): check base_url"
    return f"{_host(model)} fails ({quote(error)}): the fault is at the upstream; try again later"


def list_sources(secrets: Sequence[Secret]) -> str:
    """Return the sources of keys, each once."""
    return ", ".join(dict.fromkeys(secret.source for secret in secrets))


def _explain_unknown_model(error: CallError, model: Model, circumstances: Circumstances) -> str:
    listed = circumstances.listed or frozenset()
    is_404 = error.status == 404  # noqa: PLR2004
    is_unlisted = is_404 and bool(listed) and model.model not in listed and not _MEANS_DATA_POLICY.search(error.message)
    is_named = is_404 and _names(model.model, error.message) and not _MEANS_PATH.search(error.message)
    if error.kind is not Kind.REJECTED or not (is_unlisted or is_named or _MEANS_UNKNOWN.search(error.message)):
        return ""
    return f"{_host(model)} has no model {model.model!r}{_suggest_ids(model.model, listed)}"


def _names(model_id: str, text: str) -> bool:
    return bool(re.search(rf"(?<![\w.-]){re.escape(model_id)}(?![\w/-])", text, re.IGNORECASE))


def _suggest_ids(wanted: str, listed: frozenset[str]) -> str:
    """Return `: did you mean …?` with ids that are spelled alike, contain the wanted id, or are contained in it."""
    folded = {each.casefold(): each for each in sorted(listed)}
    alike = difflib.get_close_matches(wanted.casefold(), folded, n=_N_NEAR)
    last = wanted.casefold().rpartition("/")[2]
    holding = [each for each in folded if last in each or (each and each in last)]
    near = [folded[each] for each in dict.fromkeys([*alike, *holding])][:_N_NEAR]
    if near:
        return f": did you mean {', '.join(near)}?"
    return f"; it lists {', '.join(sorted(listed)[:_N_NEAR])}{' …' if len(listed) > _N_NEAR else ''}" if listed else ""


def _explain_data_policy(error: CallError, model: Model, _circumstances: Circumstances) -> str:
    if error.kind is not Kind.REJECTED or not _MEANS_DATA_POLICY.search(error.message):
        return ""
    return f"the privacy settings of the account at {_host(model)} exclude this model ({quote(error)})"


def _explain_no_chat_api(error: CallError, model: Model, circumstances: Circumstances) -> str:
    if not may_be_elsewhere(error):
        return ""
    what = f"there is no chat API at {model.base_url}{dialect_of(model).path} ({quote(error)})"
    if circumstances.elsewhere:
        return f"{what}; there is one at base_url: {circumstances.elsewhere}"
    if model.base_url.startswith("http://") and error.status not in _NO_PATH:
        return f"{what}: check base_url; if the upstream uses TLS, it begins with https://"
    return f"{what}: check base_url, which usually ends in /v1"


def _mention_proxy(circumstances: Circumstances) -> str:
    if not circumstances.proxies:
        return ""
    return f"; {circumstances.proxies[0]} is set, but the gateway connects directly, without a proxy"


def quote(error: CallError) -> str:
    """Return the upstream's own message in one line, without control characters that a terminal would obey."""
    words = "".join(character if character.isprintable() else " " for character in error.message).strip()
    status = f"HTTP {error.status}"
    return words if error.status is None or words.startswith(status) else f"{status}: {words}"


def _host(model: Model) -> str:
    return urlsplit(model.base_url).netloc


_EXPLANATIONS = (
    _explain_no_credit,
    _explain_no_connection,
    _explain_timeout,
    _explain_refused_key,
    _explain_rate_limit,
    _explain_server_error,
    _explain_data_policy,
    _explain_unknown_model,
    _explain_no_chat_api,
)
