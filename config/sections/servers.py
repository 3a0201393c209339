"""Builds `Server` from the `server` section and the command line, and refuses to listen publicly without keys."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from config.reader import Section, describe, suggest
from config.sections.addresses import is_loopback
from config.settings import DEFAULT_MIXTURE, ApiKey, Server
from config.source.document import Items, Scalar
from config.values import is_from_environment


def build_server(root: Section, host: str | None, port: int | None) -> Server:
    """Return the server; `host` and `port` of the command line override the file's.

    After a reported problem the result must not be used.
    """
    section: Section | None = root.values.get("server")
    values: dict[str, Any] = section.values_for(Server) if section else {}
    if "api_keys" in values:
        values["api_keys"] = _build_api_keys(values["api_keys"])
    server = Server(**values)
    if section and section.has("port") and "port" not in values:
        server = replace(server, port=0)  # the port is invalid: no base_url can be compared with it
    server = replace(server, host=host or server.host, port=server.port if port is None else port)
    _check_reachability(server, root, section, from_command_line=bool(host))
    return server


def _build_api_keys(sections: Sequence[Section]) -> tuple[ApiKey, ...]:
    """Return the keys that have a name and a value; report names and keys that are used twice."""
    found: list[ApiKey] = []
    for section in sections:
        name, secret = section.values.get("name"), section.values.get("key")
        if any(name == other.name for other in found):
            place = section.place_of("name")
            place.report(f"{describe(place)}, which is already the name of another key")
        for other in found:
            if secret and secret.value == other.key.value:
                section.place_of("key").report(f"is the same key as that of {other.name}: give each client its own")
        if name and secret:
            found.append(ApiKey(**section.values_for(ApiKey)))
    return tuple(found)


def check_key_models(root: Section) -> None:
    """Report what `models` of a key lists and no model, mixture or alias is named; call it when all names are read."""
    names = root.place.names
    known = {**names.models, **names.mixtures, **names.aliases}
    if not root.has("mixtures"):
        known.setdefault(DEFAULT_MIXTURE, root.place)
    server: Section | None = root.values.get("server")
    for section in server.values.get("api_keys", ()) if server else ():
        place = section.place_of("models")
        for position, node in enumerate(place.node.nodes if isinstance(place.node, Items) else ()):
            item = place.child(position, node)
            name = node.text if isinstance(node, Scalar) else ""
            if name and name not in known:
                shown = [word for word, given in known.items() if not is_from_environment(given)]
                hint = "" if is_from_environment(item) else suggest(name, shown)
                item.report(f"{describe(item)}, which is no model, mixture or alias{hint}")


def _check_reachability(server: Server, root: Section, section: Section | None, *, from_command_line: bool) -> None:
    """Report a host that other machines can reach if no key is required: any client could spend money."""
    if is_loopback(server.host) or (section and section.has("api_keys")):
        return
    whole = root.place_of("server")
    place = section.place_of("host") if section else whole.child("host", whole.node)
    value = f"is {server.host} by --host" if from_command_line else describe(place)
    place.report(
        f"{value}, which other machines can reach without a key: add server.api_keys, or listen on 127.0.0.1",
    )
