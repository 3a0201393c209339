"""Readers of single values that only config.yaml has: names, keys, URLs, headers, parameters."""

import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args
from urllib.parse import SplitResult, urlsplit

from yarl import URL

from config.reader import InvalidValue, Place, Reader, describe, is_finite, number, require_scalar, suggest, text
from config.settings import Effort, Secret
from config.source.document import Entries, Items, Node, Scalar, join

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_ALIAS = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._:/@+*-]{0,127}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_MULTIPLE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)x")
_BARE_VARIABLE = re.compile(r"\$[A-Z]+(?:_[A-Z0-9]+)+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONNECTION_HEADERS = frozenset(  # RFC 9110, section 7.6.1, and those that an HTTP client sets itself
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
_RESERVED_PARAMS = {
    "model": "the gateway sets it; write the model's id under `model`",
    "messages": "the gateway sends the client's, unchanged",
    "n": "the gateway asks each model for one answer per call",
    "stream": "the gateway decides whether a call streams",
}


def new_model_name(place: Place) -> str:
    """Read the name of a model; it must be unique among models and mixtures."""
    return _define_name(place, place.names.models)


def new_mixture_name(place: Place) -> str:
    """Read the name of a mixture; it must be unique among models and mixtures."""
    return _define_name(place, place.names.mixtures)


def _define_name(place: Place, names: dict[str, Place]) -> str:
    name = text(place)
    first = place.names.find(name)
    names.setdefault(name, place)
    if not _NAME.fullmatch(name):
        rule = "must have at most 128 letters, digits and . _ : / @ + -, and begin with a letter or digit"
        raise InvalidValue(f"{rule}, {describe(place)}")
    if first is not None:
        raise InvalidValue(f"{describe(place)}, which is already the name of {first.path.removesuffix('.name')}")
    return name


def alias_name(name: str, place: Place) -> str:
    """Check the name of an alias, in which `*` stands for any characters; it must not be the name of anything else."""
    first = place.names.find(name)
    place.names.aliases.setdefault(name, place)
    if not _ALIAS.fullmatch(name):
        raise InvalidValue("must have at most 128 letters, digits and . _ : / @ + - *")
    if first is not None:
        raise InvalidValue(f"is already the name of {first.path.removesuffix('.name')}, which an alias cannot replace")
    return name


def model_reference(place: Place) -> str:
    """Read the name of a configured model. The schema reads `models` before everything that refers to them."""
    name = text(place)
    models = place.names.models
    if models and name not in models:
        known = [word for word, given in models.items() if not is_from_environment(given)]
        hint = "" if is_from_environment(place) else suggest(name, known)
        listed = ", ".join(describe(given).removeprefix("is ") for given in models.values())
        raise InvalidValue(f"{describe(place)}, which is not a model{hint} (models: {listed})")
    return name


def is_from_environment(place: Place) -> bool:
    """Whether a value or a part of it came from a variable, so that no message may show it."""
    return isinstance(place.node, Scalar) and bool(place.node.variables)


def _read_secret(place: Place, rule: str) -> Secret:
    """Read a text that no message shows, valid or not."""
    if not isinstance(place.node, Scalar):
        raise InvalidValue(f"{rule}, {describe(place)}")
    if not isinstance(place.node.value, str) and not place.node.variables:
        raise InvalidValue(f"{rule}: put it in quotes")
    source = ", ".join(place.node.variables) or f"{place.problems.file}:{place.node.line}"
    return Secret(place.node.text, source)


def api_key(place: Place) -> Secret:
    """Read a key for `Authorization: Bearer`. Blanks and line ends around it, a habit of secret stores, are removed."""
    secret = _read_secret(place, "must be text")
    secret = Secret(secret.value.strip(), secret.source)
    if not secret.value:
        raise InvalidValue(f"must not be empty, {describe(place)}")
    if not is_from_environment(place) and _BARE_VARIABLE.fullmatch(secret.value):
        raise InvalidValue(f"is {secret.value}, which is not replaced: write ${{{secret.value[1:]}}}")
    if not all("!" <= character <= "~" for character in secret.value):
        which = describe(place) if is_from_environment(place) else "its value is not shown"
        raise InvalidValue(f"must be printable ASCII without blanks and line ends ({which})")
    return secret


def environment(place: Place) -> dict[str, Secret]:
    """Read the environment variables of a command. Every value is a `Secret`, because many are keys."""
    if not isinstance(place.node, Entries):
        raise InvalidValue("must be a mapping of variable names to texts")
    variables: dict[str, Secret] = {}
    for name, node in place.node.nodes.items():
        variable = place.child(name, node)
        try:
            variables[name] = _read_variable(variable, name)
        except InvalidValue as error:
            variable.report(str(error))
    return variables


def _read_variable(variable: Place, name: str) -> Secret:
    if not _VARIABLE_NAME.fullmatch(name):
        raise InvalidValue("is not a name of an environment variable")
    value = text(variable)
    if "\0" in value:
        raise InvalidValue("must not have a NUL character")
    return Secret(value, variable.path)


def headers(place: Place) -> dict[str, Secret]:
    """Read header fields to send with every call. Every value is a `Secret`, because many are keys."""
    if not isinstance(place.node, Entries):
        raise InvalidValue("must be a mapping of header names to texts")
    fields: dict[str, Secret] = {}
    for name, node in place.node.nodes.items():
        field = place.child(name, node)
        if not isinstance(node, Scalar | Items | Entries):
            continue
        try:
            _check_header_name(name, fields)
            fields[name] = _read_header_value(field)
        except InvalidValue as error:
            field.report(str(error))
    return fields


def _check_header_name(name: str, known: Mapping[str, Secret]) -> None:
    if not _TOKEN.fullmatch(name):
        raise InvalidValue("is not a header name")
    if name.lower() in _CONNECTION_HEADERS:
        raise InvalidValue("is a connection header, which the gateway sets itself")
    if name.lower() in map(str.lower, known):
        raise InvalidValue("is set twice; upper and lower case are the same name")


def _read_header_value(place: Place) -> Secret:
    secret = _read_secret(place, "must be text")
    if _CONTROL.search(secret.value):
        raise InvalidValue("must not contain line ends or other control characters")
    return secret


def base_url(place: Place) -> str:
    """Read the URL to which `/chat/completions` is appended; returned without a trailing slash.

    No message shows its value, because it may contain a password.
    """
    url = require_scalar(place, "must be text").text
    if re.search(r"[\s\\]", url) or not url.isprintable():
        raise InvalidValue("must not contain blanks, backslashes or control characters")
    parts = _split_url(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidValue("must begin with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise InvalidValue(
            "must not contain user:password@: put the key under api_key, other credentials under headers"
        )
    if "?" in url or "#" in url:
        raise InvalidValue("must not have a query or fragment: put credentials under api_key or headers")
    url = url.rstrip("/")
    if url.endswith("/chat/completions"):
        raise InvalidValue("must end before /chat/completions, which the gateway appends")
    return url


def store_url(place: Place) -> Secret:
    """Read the URL of a Redis or Valkey server. No message shows its value, because it may contain a password."""
    secret = _read_secret(place, "must be text")
    if re.search(r"[\s\\]", secret.value) or not secret.value.isprintable():
        raise InvalidValue("must not contain blanks, backslashes or control characters")
    parts = _split_url(secret.value)
    if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.scheme == "unix"):
        raise InvalidValue("must begin with redis:// or rediss:// (TLS) and a host, or with unix:// and a path")
    return secret


def _split_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # validated only on access
        URL(url)  # the HTTP client's own, stricter validation of hosts
    except ValueError:
        raise InvalidValue("must be a URL with a valid host and port") from None
    return parts


def is_same_address(url: str, host: str, port: int) -> bool:
    """Whether a URL leads to a server that listens on this host and port. Port 0 is not bound yet, so never."""
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


def param_name(place: Place) -> str:
    """Read the name of a parameter that may be dropped or renamed: not one that the gateway sets itself."""
    name = text(place)
    if name in _RESERVED_PARAMS and name != "n":
        raise InvalidValue(f"must not be {name}: {_RESERVED_PARAMS[name]}")
    return name


def renames(place: Place) -> dict[str, str]:
    """Read a mapping of parameter names to the names that an upstream uses for them."""
    if not isinstance(place.node, Entries):
        raise InvalidValue(f"must be a mapping of parameter names to names, {describe(place)}")
    found: dict[str, str] = {}
    for name, node in place.node.nodes.items():
        entry = place.child(name, node)
        if not isinstance(node, Scalar | Items | Entries):
            continue
        try:
            _check_rename(name, param_name(entry), found)
            found[name] = param_name(entry)
        except InvalidValue as error:
            entry.report(str(error))
    return found


def _check_rename(old: str, new: str, found: Mapping[str, str]) -> None:
    if old in _RESERVED_PARAMS and old != "n":
        raise InvalidValue(f"must not be renamed: {_RESERVED_PARAMS[old]}")
    if old == new:
        raise InvalidValue("must have another name than before")
    if new in found.values():
        raise InvalidValue("must not give two parameters the same name")


def params(place: Place) -> dict[str, Any]:
    """Read parameters of chat completions: JSON values, without those that the gateway sets itself.

    A null means that the parameter is left out, whoever set it.
    """
    if not isinstance(place.node, Entries):
        raise InvalidValue(f"must be a mapping, {describe(place)}")
    for name, reason in _RESERVED_PARAMS.items():
        if name in place.node.nodes:
            place.problems.add(place.node.key_lines[name], join(place.path, name), f"must not be set here: {reason}")
    return {name: _read_json(place.child(name, node)) for name, node in place.node.nodes.items()}


def efforts(place: Place) -> dict[str, dict[str, Any]]:
    """Read the replacement of each `reasoning_effort`: parameters, another effort's name, or null to send no effort."""
    if not isinstance(place.node, Entries):
        raise InvalidValue(f"must be a mapping of efforts to parameters, {describe(place)}")
    found: dict[str, dict[str, Any]] = {}
    for level, node in place.node.nodes.items():
        entry = place.child(level, node)
        try:
            found[level] = _read_effort(level, entry)
        except InvalidValue as error:
            entry.report(str(error))
    return found


def _read_effort(level: str, entry: Place) -> dict[str, Any]:
    levels = get_args(Effort)
    if level not in levels:
        raise InvalidValue(f"is not an effort: use {', '.join(levels)}{suggest(level, levels)}")
    if isinstance(entry.node, Entries):
        return params(entry)
    if isinstance(entry.node, Scalar) and entry.node.value is None and not entry.node.variables:
        return {}
    return {"reasoning_effort": text(entry)}


def _read_json(place: Place) -> Any:
    node: Node = place.node
    if isinstance(node, Items):
        return [_read_json(place.child(index, item)) for index, item in enumerate(node.nodes)]
    if isinstance(node, Entries):
        return {key: _read_json(place.child(key, value)) for key, value in node.nodes.items()}
    if not isinstance(node, Scalar):
        return None
    if isinstance(node.value, float | int) and not is_finite(node.value):
        place.report(f"must be a JSON value, {describe(place)}")
    return node.value


def regular_expression(place: Place) -> str:
    """Read a regular expression."""
    found = text(place)
    try:
        re.compile(found)
    except re.error as error:
        place.report(f"must be a regular expression: {error.msg}")
    return found


def multiple(place: Place) -> float:
    """Read a multiple of another duration: `0.5x`."""
    rule = "must be a multiple, such as 0.5x or 2x"
    found = _MULTIPLE.fullmatch(require_scalar(place, rule).text)
    if found is None:
        raise InvalidValue(f"{rule}, {describe(place)}")
    return float(found[1])


def money(*, above: float | None = None, least: float | None = None) -> Reader[Decimal]:
    """Read an amount of money greater than `above`, or at least `least`, with exactly the digits of the file."""
    read_number = number(above=above, least=least)

    def read(place: Place) -> Decimal:
        return Decimal(repr(read_number(place)))

    return read


def critic_prompt(place: Place) -> str:
    """Read a template for the critic's task; it must contain the candidates."""
    prompt = text(place)
    if "{candidates}" not in prompt:
        raise InvalidValue("must contain {candidates}, which is replaced by the candidates")
    return prompt
