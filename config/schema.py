"""What config.yaml may say: every key with its type and bounds. The defaults are those of config/settings.py."""

from typing import get_args

from config.addresses import host_name, origin
from config.document import Scalar
from config.providers import PROVIDERS
from config.reader import Check, Keys, Place, Record, each, flag, keys, number, one_of, text, whole
from config.settings import Capability, Mode
from config.values import (
    amount,
    api_key,
    base_url,
    critic_prompt,
    headers,
    model_reference,
    multiple,
    new_mixture_name,
    new_model_name,
    params,
    pattern,
)

API_KEY: Keys = {
    "name": text,
    "key": api_key,
    "rate_per_minute": whole(1),
    "tokens_per_day": whole(1),
    "cost_per_day": amount(above=0),
}

SERVER: Keys = {
    "host": text,
    "port": whole(0, 65535),
    "max_body_mb": number(above=0),
    "max_reply_mb": number(above=0),
    "max_upstream_concurrency": whole(1, 100_000),
    "shutdown_timeout_s": number(above=0),
    "usage": one_of("answer", "total"),
    "streaming": one_of("allow", "reject"),
    "stream_heartbeat_s": number(least=0),
    "json_heartbeat_s": number(least=0),
    "api_keys": each(keys(API_KEY, required=["name", "key"]), least=1),
    "allowed_hosts": each(host_name, unique=True),
    "allowed_origins": each(origin, unique=True),
    "max_concurrent_requests": whole(1),
    "max_queued_requests": whole(0),
    "max_queue_wait_s": number(above=0),
    "watch": flag,
    "ui": flag,
    "currency": text,
    "max_cost_per_day": amount(above=0),
}

HEDGE: Keys = {
    "after_s": number(above=0),
}

PRICE: Keys = {
    "input": amount(least=0),
    "output": amount(least=0),
    "cached_input": amount(least=0),
}

MODEL: Keys = {
    "name": new_model_name,
    "base_url": base_url,
    "provider": one_of(*PROVIDERS),
    "api_key": api_key,
    "model": text,
    "params": params,
    "headers": headers,
    "timeout_s": number(above=0),
    "connect_timeout_s": number(above=0),
    "first_byte_timeout_s": number(above=0),
    "idle_timeout_s": number(above=0),
    "retries": whole(0, 10),
    "hedge": keys(HEDGE, required=["after_s"]),
    "max_concurrency": whole(1, 10_000),
    "capabilities": each(one_of(*get_args(Capability)), unique=True),
    "context_tokens": whole(256),
    "price": keys(PRICE, required=["input", "output"]),
    "path": text,
    "threads": whole(1),
    "slots": whole(1, 64),
}

CRITIC: Keys = {
    "model": model_reference,
    "fallbacks": each(model_reference, unique=True),
    "params": params,
    "prompt": critic_prompt,
}


def critic(place: Place) -> Record:
    """Read a critic: a mapping, or no more than a model's name."""
    if isinstance(place.node, Scalar):
        return Record(place, {"model": model_reference(place)})
    record = keys(CRITIC)(place)
    if "model" in record.values and record.values["model"] in record.values.get("fallbacks", ()):
        record.at("fallbacks").refuse("must not have the critic's own model in it: it has failed by then")
    return record


TOOLS: Keys = {
    "fan_out": one_of("new_turns", "every_turn"),
}

BYPASS_RULE: Keys = {
    "name": text,
    "system": pattern,
    "max_prompt_chars": whole(1),
    "max_tokens_below": whole(1),
}

BYPASS: Keys = {
    "model": model_reference,
    "built_in": flag,
    "rules": each(keys(BYPASS_RULE, required=["name"])),
}

PROPOSER: Keys = {
    "model": model_reference,
    "samples": whole(1, 16),
    "params": params,
}

VERIFY: Keys = {
    "model": model_reference,
    "params": params,
}


def naming(table: Keys) -> Check[Record]:
    """Read a mapping that names a model, or no more than the model's name."""

    def check(place: Place) -> Record:
        if isinstance(place.node, Scalar):
            return Record(place, {"model": model_reference(place)})
        return keys(table, required=["model"])(place)

    return check


MIXTURE: Keys = {
    "name": new_mixture_name,
    "panel": each(naming(PROPOSER), least=1),
    "critic": critic,
    "mode": one_of(*get_args(Mode)),
    "layers": whole(1, 3),
    "verify": naming(VERIFY),
    "orders": whole(1, 2),
    "verdict_max_tokens": whole(1),
    "bypass": keys(BYPASS),
    "deadline_s": number(above=0),
    "critic_reserve_s": number(least=0),
    "quorum": whole(1),
    "grace_s": number(least=0),
    "grace": multiple,
    "retry_grace_s": number(least=0),
    "max_cost": amount(above=0),
    "show_reasoning": flag,
    "show_work": flag,
    "tools": keys(TOOLS),
}

ROOT: Keys = {  # in the order of reading: the models come before what refers to them
    "server": keys(SERVER),
    "models": each(keys(MODEL, required=["name"]), least=1),
    "critic": critic,
    "mixtures": each(keys(MIXTURE, required=["name"]), least=1),
}

TABLES: dict[str, Keys] = {
    "": ROOT,
    "server": SERVER,
    "server.api_keys": API_KEY,
    "models": MODEL,
    "models.hedge": HEDGE,
    "models.price": PRICE,
    "critic": CRITIC,
    "mixtures": MIXTURE,
    "mixtures.panel": PROPOSER,
    "mixtures.verify": VERIFY,
    "mixtures.bypass": BYPASS,
    "mixtures.bypass.rules": BYPASS_RULE,
    "mixtures.tools": TOOLS,
}
"""Every table of the schema, by the path that leads to it."""
