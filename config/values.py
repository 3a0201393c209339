"""The checks of single values that config.yaml alone knows: names, keys, URLs, headers, parameters."""

import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import SplitResult, urlsplit

from yarl import URL

from config.document import Entries, Items, Node, Scalar, join
from config.reader import Check, Place, Refused, is_finite, meant, number, scalar, shown, text
from config.settings import Secret

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_MULTIPLE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)x")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADERS_OF_THE_CONNECTION = frozenset(  # RFC 9110, 7.6.1, and what an HTTP client sets itself
    [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ],
)
_PARAMS_OF_THE_GATEWAY = {
    "model": "the gateway sets it: write the model's id under `model`",
    "messages": "they are the client's, and never rewritten",
    "n": "the gateway asks each model for one answer, and as often as it takes",
    "stream": "the gateway chooses how it asks an upstream",
}


def new_model_name(place: Place) -> str:
    """Read the name of a model, which nothing else may have."""
    return _new_name(place, place.names.models)


def new_mixture_name(place: Place) -> str:
    """Read the name of a mixture, which nothing else may have."""
    return _new_name(place, place.names.mixtures)


def _new_name(place: Place, names: dict[str, Place]) -> str:
    name = text(place)
    first = place.names.place(name)
    names.setdefault(name, place)
    if not _NAME.fullmatch(name):
        rule = "must be of letters, digits and . _ : / @ + -, begin with a letter or digit, and have 128 at most"
        raise Refused(f"{rule}, {shown(place)}")
    if first is not None:
        raise Refused(f"{shown(place)}, which is the name of {first.path.removesuffix('.name')} already")
    return name


def model_reference(place: Place) -> str:
    """Read the name of a configured model; the models are read before whatever names them."""
    name = text(place)
    models = place.names.models
    if models and name not in models:
        known = {word: given for word, given in models.items() if not is_from_environment(given)}
        hint = "" if is_from_environment(place) else meant(name, known)
        listed = ", ".join(shown(given).removeprefix("is ") for given in models.values())
        raise Refused(f"{shown(place)}, which is no model{hint} (models: {listed})")
    return name


def is_from_environment(place: Place) -> bool:
    """Tell whether a value, or a part of it, came from a variable, so that nothing may be told of it."""
    return isinstance(place.node, Scalar) and bool(place.node.variables)


def _secret(place: Place, rule: str) -> Secret:
    """Read a text that no message shows, be it right or wrong."""
    if not isinstance(place.node, Scalar):
        raise Refused(f"{rule}, {shown(place)}")
    if not isinstance(place.node.value, str) and not place.node.variables:
        raise Refused(f"{rule}: put it in quotes")
    source = ", ".join(place.node.variables) or f"{place.problems.file}:{place.node.line}"
    return Secret(place.node.text, source)


def api_key(place: Place) -> Secret:
    """Read a key for `Authorization: Bearer`."""
    secret = _secret(place, "must be text")
    if not secret.value:
        raise Refused(f"must not be empty, {shown(place)}")
    if not all("!" <= character <= "~" for character in secret.value):
        which = shown(place) if is_from_environment(place) else "its value is not shown"
        raise Refused(f"must be of printable ASCII characters, without blanks and line ends ({which})")
    return secret


def headers(place: Place) -> dict[str, Secret]:
    """Read header fields to send with every call. Their values are secrets, for many are."""
    if not isinstance(place.node, Entries):
        raise Refused("must be a mapping of header names to texts")
    fields: dict[str, Secret] = {}
    for name, node in place.node.nodes.items():
        field = place.inside(name, node)
        if not isinstance(node, Scalar | Items | Entries):
            continue
        try:
            _header_name(name, fields)
            fields[name] = _header_value(field)
        except Refused as refused:
            field.refuse(str(refused))
    return fields


def _header_name(name: str, known: Mapping[str, Secret]) -> None:
    if not _TOKEN.fullmatch(name):
        raise Refused("is not a header name")
    if name.lower() in _HEADERS_OF_THE_CONNECTION:
        raise Refused("belongs to the connection, which the gateway sees to")
    if name.lower() in map(str.lower, known):
        raise Refused("is given twice; upper and lower case are one")


def _header_value(place: Place) -> Secret:
    secret = _secret(place, "must be text")
    if _CONTROL.search(secret.value):
        raise Refused("must not have line ends or other control characters")
    return secret


def base_url(place: Place) -> str:
    """Read the URL under which an upstream has `/chat/completions`; without a trailing slash.

    Its value is never shown: a password may be in it, in whatever form.
    """
    url = scalar(place, "must be text").text
    if re.search(r"[\s\\]", url) or not url.isprintable():
        raise Refused("must not have blanks, backslashes or control characters")
    parts = _split(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refused("must begin with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise Refused("must not have user:password@ in it: put the key under api_key, other credentials under headers")
    if "?" in url or "#" in url:
        raise Refused("must not have a query or fragment: credentials go under api_key or headers")
    url = url.rstrip("/")
    if url.endswith("/chat/completions"):
        raise Refused("must end before /chat/completions, which the gateway adds")
    return url


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read, and refused, only when asked for
        URL(url)  # what the requests are sent by knows more of hosts
    except ValueError:
        raise Refused("must be a URL with a valid host and port") from None
    return parts


def is_same_address(url: str, host: str, port: int) -> bool:
    """Tell whether a URL leads to whoever listens on this host and port; port 0 is nobody's yet."""
    parts = urlsplit(url)
    if (parts.port or {"http": 80, "https": 443}[parts.scheme]) != port:
        return False
    name = parts.hostname or ""
    return name == host.lower() or (_is_this_machine(name) and _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
    return address.is_loopback or address.is_unspecified


def params(place: Place) -> dict[str, Any]:
    """Read parameters for chat completions: JSON values, without those that are the gateway's own."""
    if not isinstance(place.node, Entries):
        raise Refused(f"must be a mapping, {shown(place)}")
    for name, reason in _PARAMS_OF_THE_GATEWAY.items():
        if name in place.node.nodes:
            place.problems.add(place.node.key_lines[name], join(place.path, name), f"must not be here: {reason}")
    return {name: _json(place.inside(name, node)) for name, node in place.node.nodes.items()}


def _json(place: Place) -> Any:
    node: Node = place.node
    if isinstance(node, Items):
        return [_json(place.inside(index, item)) for index, item in enumerate(node.nodes)]
    if isinstance(node, Entries):
        return {key: _json(place.inside(key, value)) for key, value in node.nodes.items()}
    if not isinstance(node, Scalar):
        return None
    if isinstance(node.value, float | int) and not is_finite(node.value):
        place.refuse(f"must be a JSON value, {shown(place)}")
    return node.value


def pattern(place: Place) -> str:
    """Read a regular expression."""
    found = text(place)
    try:
        re.compile(found)
    except re.error as error:
        place.refuse(f"must be a regular expression: {error.msg}")
    return found


def multiple(place: Place) -> float:
    """Read how many times as long as something else: `0.5x`."""
    rule = "must be a multiple, such as 0.5x or 2x"
    found = _MULTIPLE.fullmatch(scalar(place, rule).text)
    if found is None:
        raise Refused(f"{rule}, {shown(place)}")
    return float(found[1])


def amount(*, above: float | None = None, least: float | None = None) -> Check[Decimal]:
    """Read an amount of money greater than `above`, or not less than `least`, to the digit as it is written."""
    read = number(above=above, least=least)

    def check(place: Place) -> Decimal:
        return Decimal(repr(read(place)))

    return check


def critic_prompt(place: Place) -> str:
    """Read a template for the critic's task; without the candidates in it the critic would be blind."""
    prompt = text(place)
    if "{candidates}" not in prompt:
        raise Refused("must have {candidates} in it, where the candidates are to stand")
    return prompt
