"""Writes the text of a config.yaml for a proposed panel, and of the .env with its keys. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.list_prices import find_list_price
from config.providers import PROVIDERS
from config.settings import DEFAULT_MIXTURE, Price

_USUAL_NAME = "gpt-4.1"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")  # needs no quotes in YAML
_YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"})
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9._/+=:@-]+")  # needs no quotes in .env


@dataclass(frozen=True, slots=True)
class Member:
    """A model of the new configuration. `variable` has its key; `price_note` is the source of the price."""

    name: str
    provider: str
    model_id: str
    base_url: str
    variable: str | None
    price: Price | None = None
    price_note: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The provider and the id, which identify the model."""
        return self.provider, self.model_id


def find_price(provider: str, model_id: str, stated: Price | None, today: str) -> tuple[Price | None, str]:
    """Return the price of a model and its source: the upstream's own list, else the table of list prices."""
    if stated is not None:
        return stated, f"list price of {today}, from {provider}'s list of models"
    found = find_list_price(provider, model_id)
    return (found.price, f"list price of {found.date}, {found.source}") if found else (None, "")


def choose_names(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each (provider, model id): the last part of the id, with the provider if it is taken."""
    taken = {DEFAULT_MIXTURE, *PROVIDERS}
    names = []
    for provider, model_id in pairs:
        short = model_id.rpartition("/")[2]
        options = (short, f"{provider}-{short}", f"{provider}/{model_id}"[:120], *(f"model-{n}" for n in range(9)))
        name = next(each for each in options if each and each[0].isalnum() and each not in taken)
        taken.add(name)
        names.append(name)
    return names


def render_config(members: Sequence[Member], panel: Sequence[str], critics: Sequence[str], *, heading: str) -> str:
    """Return a config.yaml with these models and one mixture: its panel and its critics by name, the best first."""
    proposers = [_quote(name) for name in panel]
    if len(panel) == 1:
        proposers = [f"{{model: {proposers[0]}, samples: 3}}"]
    critic, *fallbacks = map(_quote, critics)
    chain = f"{{model: {critic}, fallbacks: [{', '.join(fallbacks)}]}}"
    lines = [
        *(f"# {line}" for line in heading.splitlines()),
        "",
        "models:  # the order of a panel is its ranking, best first",
        *(line for member in members for line in _render_model(member)),
        "",
        "mixtures:  # the names that clients ask for; models can be asked by their own names too",
        f"  - {{name: {DEFAULT_MIXTURE}, panel: [{', '.join(proposers)}], critic: {chain}}}",
        *_render_aliases(members),
    ]
    return "\n".join([*lines, ""])


def render_embedded(*, heading: str) -> str:
    """Return a config.yaml with the small embedded model, as the gateway ships it."""
    return "\n".join(
        [
            *(f"# {line}" for line in heading.splitlines()),
            "",
            "models:",
            "  - name: qwen2.5-coder-0.5b  # about 490 MB, fetched at the first start; 1 GB of memory",
            "    provider: embedded",
            "    slots: 4",
            "    context_tokens: 4096",
            "    params: {max_tokens: 512, temperature: 0}",
            "",
            "mixtures:",
            f"  - name: {DEFAULT_MIXTURE}  # one answer, and three more unless it passes the examples of the request",
            "    panel: [{model: qwen2.5-coder-0.5b, samples: 4, first: {temperature: 0}, params: {temperature: 0.8}}]",
            "    stages: [1, 3]",
            "    critic: none",
            "",
        ]
    )


def merge_env(text: str, present: Mapping[str, str], keys: Mapping[str, str], *, replace: bool) -> str:
    """Return the text of a .env with these keys; `present` are the variables that it has.

    Variables that it has keep their values unless `replace`; then their lines are removed, and new ones appended.
    """
    missing = {
        name: key for name, key in keys.items() if not present.get(name) or (replace and present.get(name) != key)
    }
    if not missing:
        return text
    defines = re.compile(rf"\s*(?:export\s+)?(?:{'|'.join(map(re.escape, missing))})\s*=")
    kept = [line for line in text.splitlines() if not defines.match(line)]
    return "\n".join([*kept, *(f"{name}={_quote_value(key)}" for name, key in missing.items()), ""])


def describe_price(price: Price | None) -> str:
    """Return the price per million tokens for people: `3 in, 15 out`, or `unknown`."""
    return f"{_number(price.input)} in, {_number(price.output)} out" if price else "unknown"


def _render_model(member: Member) -> list[str]:
    lines = [
        f"  - name: {_quote(member.name)}",
        f"    provider: {member.provider}",
        f"    model: {_quote(member.model_id)}",
    ]
    if member.base_url != PROVIDERS[member.provider].base_url:
        lines.append(f"    base_url: {_quote(member.base_url)}")
    if member.variable:
        lines.append(f'    api_key: "${{{member.variable}}}"')
    if member.price is not None:
        fields = {"input": member.price.input, "output": member.price.output, "cached_input": member.price.cached_input}
        shown = ", ".join(f"{name}: {_number(value)}" for name, value in fields.items() if value is not None)
        lines.append(f"    price: {{{shown}}}  # {member.price_note}")
    elif member.variable:
        lines.append("    # price: {input: 0, output: 0}  # unknown: write it here, per million tokens, to see costs")
    return lines


def _render_aliases(members: Sequence[Member]) -> list[str]:
    """Return the section for the name that aider asks for by default, unless a model has it."""
    if any(member.name == _USUAL_NAME for member in members):
        return []
    comment = "# other names, for clients that ask for names of their own; `*` matches any characters"
    return ["", f"aliases:  {comment}", f"  {_USUAL_NAME}: {DEFAULT_MIXTURE}"]


def _quote(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if is_plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quote_value(key: str) -> str:
    """Quote a value for .env: single quotes keep everything but themselves and backslashes."""
    if _PLAIN_VALUE.fullmatch(key):
        return key
    return "'" + key.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _number(value: object) -> str:
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
