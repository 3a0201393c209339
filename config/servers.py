"""From what `server` says, and the command line, to a `Server` that may be reached by those whom it can tell apart."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from config.addresses import is_loopback
from config.reader import Record, shown
from config.settings import ApiKey, Server


def server(root: Record, host: str | None, port: int | None) -> Server:
    """Return the server; `host` and `port` of the command line take the place of the file's.

    What is wrong is noted, and then the server must not be used.
    """
    given: Record | None = root.values.get("server")
    values: dict[str, Any] = {**given.values} if given else {}
    if "api_keys" in values:
        values["api_keys"] = _api_keys(values["api_keys"])
    listening = Server(**values)
    if given and given.has("port") and "port" not in values:
        listening = replace(listening, port=0)  # unreadable: no model's URL can be blamed for leading there
    listening = replace(listening, host=host or listening.host, port=listening.port if port is None else port)
    _check_reach(listening, root, given, from_command_line=bool(host))
    return listening


def _api_keys(records: Sequence[Record]) -> tuple[ApiKey, ...]:
    """Return the keys that are whole; note those that cannot be told apart."""
    limits = ("rate_per_minute", "tokens_per_day", "cost_per_day")
    found: list[ApiKey] = []
    for record in records:
        name, secret = record.values.get("name"), record.values.get("key")
        if any(name == other.name for other in found):
            record.at("name").refuse(f"{shown(record.at('name'))}, which is the name of another key already")
        for other in found:
            if secret and secret.value == other.key.value:
                record.at("key").refuse(f"is the same key as that of {other.name}: give each client its own")
        if name and secret:
            found.append(ApiKey(name, secret, **{key: record.values.get(key) for key in limits}))
    return tuple(found)


def _check_reach(listening: Server, root: Record, given: Record | None, *, from_command_line: bool) -> None:
    """Note a host that others can reach while nobody is asked for a key: whoever came would spend the user's money."""
    if is_loopback(listening.host) or (given and given.has("api_keys")):
        return
    section = root.at("server")
    place = given.at("host") if given else section.inside("host", section.node)
    stands = f"is {listening.host} by --host" if from_command_line else shown(place)
    place.refuse(
        f"{stands}, where others than this machine reach the gateway: "
        "write server.api_keys, so that it asks who they are, or listen on 127.0.0.1",
    )
