"""The schema of config.yaml: every key with its type and bounds. Defaults are those of config/settings.py."""

from collections.abc import Collection
from typing import get_args

from config.providers import PROVIDERS, SYNONYMS
from config.reader import Place, Reader, Section, Table, boolean, integer, list_of, mapping, number, one_of, text
from config.sections.addresses import host_name, origin
from config.sections.aliases import aliases
from config.settings import Capability, EvidenceLevel, Learning, Mode, UpstreamApi
from config.source.document import Scalar
from config.values import (
    api_key,
    base_url,
    critic_prompt,
    efforts,
    environment,
    headers,
    model_reference,
    money,
    multiple,
    new_mixture_name,
    new_model_name,
    param_name,
    params,
    regular_expression,
    renames,
    store_url,
)

TOP_LEVEL: dict[str, Table] = {}
"""The tables of the sections that a misplaced key may belong to, filled below."""


def section(table: Table, *, required: Collection[str] = ()) -> Reader[Section]:
    """Read a section of the file; a key that belongs to another one is reported as such."""
    return mapping(table, required=required, sections=TOP_LEVEL)


API_KEY: Table = {
    "name": text,
    "key": api_key,
    "rate_per_minute": integer(1),
    "tokens_per_day": integer(1),
    "cost_per_day": money(above=0),
    "models": list_of(text, unique=True, least=1),
}

SERVER: Table = {
    "host": text,
    "port": integer(0, 65535),
    "max_body_mb": number(above=0),
    "max_body_buffer_mb": number(above=0),
    "header_timeout_s": number(above=0),
    "body_timeout_s": number(above=0),
    "min_body_kb_per_s": number(above=0),
    "write_timeout_s": number(above=0),
    "keepalive_timeout_s": number(above=0),
    "max_messages": integer(1),
    "max_parts": integer(1),
    "max_tools": integer(1),
    "max_tool_calls": integer(1),
    "max_json_values": integer(100),
    "share_runs": boolean,
    "replay_s": number(least=0),
    "max_reply_mb": number(above=0),
    "max_upstream_concurrency": integer(1, 100_000),
    "shutdown_timeout_s": number(above=0),
    "usage": one_of("answer", "total"),
    "streaming": one_of("allow", "reject"),
    "stream_heartbeat_s": number(least=0),
    "json_heartbeat_s": number(least=0),
    "messages_hold_s": number(least=0),
    "api_keys": list_of(section(API_KEY, required=["name", "key"]), least=1),
    "allowed_hosts": list_of(host_name, unique=True),
    "allowed_origins": list_of(origin, unique=True),
    "max_concurrent_requests": integer(1),
    "max_queued_requests": integer(0),
    "max_queue_wait_s": number(above=0),
    "watch": boolean,
    "ui": boolean,
    "currency": text,
    "max_cost_per_day": money(above=0),
    "unknown_model": one_of("reject", "default"),
}

HEDGE: Table = {
    "after_s": number(above=0),
}

PRICE: Table = {
    "input": money(least=0),
    "output": money(least=0),
    "cached_input": money(least=0),
    "cache_write": money(least=0),
}

MODEL: Table = {
    "name": new_model_name,
    "base_url": base_url,
    "provider": one_of(*PROVIDERS, synonyms=SYNONYMS),
    "api_key": api_key,
    "model": text,
    "params": params,
    "api": one_of(*get_args(UpstreamApi)),
    "drop": list_of(param_name, unique=True),
    "rename": renames,
    "effort": efforts,
    "headers": headers,
    "timeout_s": number(above=0),
    "connect_timeout_s": number(above=0),
    "first_byte_timeout_s": number(above=0),
    "idle_timeout_s": number(above=0),
    "retries": integer(0, 10),
    "hedge": section(HEDGE, required=["after_s"]),
    "max_concurrency": integer(1, 10_000),
    "capabilities": list_of(one_of(*get_args(Capability)), unique=True),
    "context_tokens": integer(256),
    "price": section(PRICE, required=["input", "output"]),
    "path": text,
    "threads": integer(1),
    "slots": integer(1, 64),
}

NO_CRITIC = "none"

CRITIC: Table = {
    "model": model_reference,
    "fallbacks": list_of(model_reference, unique=True),
    "params": params,
    "prompt": critic_prompt,
}


def critic(place: Place) -> Section:
    """Read a critic: a mapping, the name of a model, or `none` (returned as a section whose model is None)."""
    if isinstance(place.node, Scalar):
        if place.node.text == NO_CRITIC and NO_CRITIC not in place.names.models:
            return Section(place, {"model": None})
        return Section(place, {"model": model_reference(place)})
    found = section(CRITIC)(place)
    if "model" in found.values and found.values["model"] in found.values.get("fallbacks", ()):
        found.place_of("fallbacks").report("must not list the critic's own model: it has failed when they are asked")
    return found


EVERY_N: Table = {
    "every_n": integer(1, 1000),
}


def fan_out(place: Place) -> tuple[str, int | None]:
    """Read when a panel is asked during work with tools: a word, or `{every_n: 4}`. Returns the word and n."""
    if isinstance(place.node, Scalar):
        return one_of("new_turns", "every_turn", "stuck")(place), None
    section = mapping(EVERY_N, required=["every_n"])(place)
    return "every_n", section.values.get("every_n")


TOOLS: Table = {
    "fan_out": fan_out,
    "advice": one_of("prose", "transcript"),
    "advice_max_tokens": integer(1),
}

BYPASS_RULE: Table = {
    "name": text,
    "system": regular_expression,
    "max_prompt_chars": integer(1),
    "max_tokens_below": integer(1),
    "last_message": regular_expression,
}

BYPASS: Table = {
    "model": model_reference,
    "built_in": boolean,
    "rules": list_of(section(BYPASS_RULE, required=["name"])),
}

PROPOSER: Table = {
    "model": model_reference,
    "samples": integer(1, 16),
    "first": params,
    "params": params,
}

VERIFY: Table = {
    "model": model_reference,
    "params": params,
}


def model_with(table: Table) -> Reader[Section]:
    """Read a mapping that names a model under `model`, or the name of the model alone."""

    def read(place: Place) -> Section:
        if isinstance(place.node, Scalar):
            return Section(place, {"model": model_reference(place)})
        return section(table, required=["model"])(place)

    return read


CHECKER: Table = {
    "workdir": text,
    "command": list_of(text, least=1),
    "timeout_s": number(above=0),
    "env": environment,
    "isolate": boolean,
    "limit": integer(1, 64),
}

MIXTURE: Table = {
    "name": new_mixture_name,
    "panel": list_of(model_with(PROPOSER), least=1),
    "critic": critic,
    "mode": one_of(*get_args(Mode)),
    "layers": integer(1, 3),
    "stages": list_of(integer(1), least=1),
    "evidence": one_of(*get_args(EvidenceLevel)),
    "learn": one_of(*get_args(Learning)),
    "checker": section(CHECKER, required=["workdir", "command"]),
    "repair": integer(0, 1),
    "verify": model_with(VERIFY),
    "orders": integer(1, 2),
    "verdict_max_tokens": integer(1),
    "bypass": section(BYPASS),
    "deadline_s": number(above=0),
    "critic_reserve_s": number(least=0),
    "quorum": integer(1),
    "grace_s": number(least=0),
    "grace": multiple,
    "retry_grace_s": number(least=0),
    "max_cost": money(above=0),
    "max_cost_per_day": money(above=0),
    "show_reasoning": boolean,
    "show_work": boolean,
    "tools": section(TOOLS),
}

STORE: Table = {
    "url": store_url,
    "on_failure": one_of("allow", "refuse"),
}

ROOT: Table = {  # in the order of reading: models before the sections that refer to them
    "server": section(SERVER),
    "models": list_of(section(MODEL, required=["name"]), least=1),
    "critic": critic,
    "mixtures": list_of(section(MIXTURE, required=["name"]), least=1),
    "aliases": aliases,
    "store": section(STORE),
}

TABLES: dict[str, Table] = {
    "": ROOT,
    "server": SERVER,
    "server.api_keys": API_KEY,
    "store": STORE,
    "models": MODEL,
    "models.hedge": HEDGE,
    "models.price": PRICE,
    "critic": CRITIC,
    "mixtures": MIXTURE,
    "mixtures.panel": PROPOSER,
    "mixtures.verify": VERIFY,
    "mixtures.checker": CHECKER,
    "mixtures.bypass": BYPASS,
    "mixtures.bypass.rules": BYPASS_RULE,
    "mixtures.tools": TOOLS,
    "mixtures.tools.fan_out": EVERY_N,
}
"""Every table of the schema, by its path."""


TOP_LEVEL.update({path: table for path, table in TABLES.items() if "." not in path})


def read_root(place: Place) -> Section:
    """Read the whole document."""
    return section(ROOT, required=["models"])(place)
