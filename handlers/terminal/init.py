"""The command `init`: writes config.yaml and .env for the keys and local servers that are found.

It never shows a key, never overwrites a configuration without --force, and asks questions only on a terminal.
"""

import argparse
import asyncio
import datetime as dt
import getpass
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory

from config import ConfigError, load, locations, read_dotenv
from config.providers import PROVIDERS
from config.reader import suggest
from config.settings import Price, Settings
from handlers.errors import StartError
from handlers.terminal.commands import EXIT_FAILED, EXIT_OK, Invocation
from handlers.terminal.setup.choice import PRESETS, Offer, Preset, propose
from handlers.terminal.setup.config_text import (
    Member,
    choose_names,
    describe_price,
    find_price,
    merge_env,
    render_config,
    render_embedded,
)
from handlers.terminal.setup.discovery import (
    HOSTED,
    SERVERS,
    Candidate,
    Finding,
    ask_candidates,
    list_candidates,
)
from handlers.terminal.setup.files import replace_file
from handlers.terminal.setup.probing import find_problems
from handlers.terminal.tables import Cell, format_table
from upstream.redact import redact

_MAX_ROUNDS = 4  # of asking models, and others instead of those that do not answer
_CONFIG_MODE, _ENV_MODE = 0o644, 0o600
_NOTHING = (
    "no usable key and no local server was found: set a variable such as OPENROUTER_API_KEY, OPENAI_API_KEY or "
    "ANTHROPIC_API_KEY, or start Ollama or LM Studio; --preset local without them writes a configuration for the small "
    "embedded model"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    parser.epilog = (
        "Keys are read from the environment and from an existing .env, never from the "
        "command line. Without a terminal no question is asked."
    )
    parser.add_argument("--preset", choices=PRESETS, help="the purpose (default: coding if a key is found, else local)")
    parser.add_argument(
        "--provider", action="append", default=[], type=_provider, metavar="NAME", help="use only this one"
    )
    parser.add_argument(
        "--model", action="append", default=[], type=_model, metavar="PROVIDER/ID", help="put it on the panel"
    )
    parser.add_argument("--critic", type=_model, metavar="PROVIDER/ID", help="the critic (default: the first model)")
    parser.add_argument(
        "--price", action="append", default=[], type=_price, metavar="ID=IN,OUT", help="a model's, per million tokens"
    )
    parser.add_argument(
        "--base-url", action="append", default=[], type=_base_url, metavar="PROVIDER=URL", help="its address"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing config.yaml; a copy is kept")
    parser.add_argument("--no-check", action="store_true", help="do not ask the models before writing")
    parser.add_argument("--dry-run", action="store_true", help="print config.yaml instead of writing it")
    parser.add_argument("--yes", action="store_true", help="ask no questions")


def run(invocation: Invocation) -> int:
    """Write the configuration; exit code 0 if its models answer. Raises StartError if there is nothing to write."""
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    dialog = Dialog() if is_terminal and not invocation.options.yes else None
    today = dt.datetime.now(dt.UTC).date().isoformat()
    try:
        return Setup(invocation, dialog, today=today).run()
    except EOFError:
        raise StartError("nothing was written: the input ended") from None


class Dialog:
    """Questions on the terminal; `ask` and `ask_secret` return one line."""

    ask: Callable[[str], str] = staticmethod(input)
    ask_secret: Callable[[str], str] = staticmethod(getpass.getpass)

    def confirm(self, question: str, *, default: bool) -> bool:
        """Ask a question; an empty answer is the default."""
        answer = self.ask(f"{question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
        return default if not answer else answer.startswith("y")


@dataclass(frozen=True, slots=True)
class _Plan:
    """The files to write: the text of config.yaml and its settings, and the keys for .env by variable.

    Without `settings` it is the embedded model, which is not asked.
    """

    config: str
    keys: Mapping[str, str]
    members: Sequence[Member] = ()
    settings: Settings | None = None


class Setup:
    """One run of `init`. `dialog` None: no question is asked. `today` is the date for prices from lists of models."""

    def __init__(self, invocation: Invocation, dialog: Dialog | None, *, today: str) -> None:
        self._invocation = invocation
        self._options = invocation.options
        self._dialog = dialog
        self._today = today
        self._path = _find_target(invocation)
        self._present = read_dotenv(self._path.parent / ".env")
        self._environ: dict[str, str] = {**self._present, **invocation.environ}

    def run(self) -> int:
        """Find, propose, ask the models, write; return the exit code."""
        if not self._options.dry_run:
            self._check_target()
        plan, problems = self._plan()
        if self._options.dry_run:
            sys.stdout.write(plan.config)
            return EXIT_OK
        if self._dialog and not self._dialog.confirm(f"Write {self._path}?", default=True):
            raise StartError("nothing was written")
        self._write(plan)
        _say(
            "Next: start the gateway (mom-gateway, in a checkout make run); mom-gateway doctor asks every model again."
        )
        return EXIT_FAILED if problems else EXIT_OK

    def _check_target(self) -> None:
        if not self._path.exists() or self._options.force:
            return
        if self._dialog is None:
            raise StartError(
                f"{self._path} exists; replace it with --force (a copy is kept), or name another --config FILE"
            )
        if not self._dialog.confirm(f"{self._path} exists. Replace it? A copy is kept.", default=False):
            raise StartError("nothing was written")

    def _plan(self) -> tuple[_Plan, Mapping[str, str]]:
        """Return the plan, and the problems of its models that do not answer.

        Models that do not answer are replaced by the next ones, unless they were named: many providers list their
        models for any key, so only a question shows whether the key is right.
        """
        findings = self._find()
        offers = [offer for finding in findings for offer in finding.offers]
        preset = self._choose_preset(offers)
        self._warn_of_unlisted(findings)
        answered: set[tuple[str, str]] = set()
        for n in range(_MAX_ROUNDS + 1):
            if n == _MAX_ROUNDS:
                offers = [offer for offer in offers if offer.key in answered]
            if not (chosen := self._options.model or propose(offers, preset)):
                break
            plan = self._plan_panel(chosen, offers, findings, preset)
            problems = self._ask_models(plan)
            failing = {each.key for each in plan.members if each.name in problems}
            if not failing or self._options.model:
                self._show(plan.members)
                return plan, problems
            answered |= {each.key for each in plan.members} - failing
            lost = {each.provider for each in plan.members} - {provider for provider, _ in answered}
            offers = [each for each in offers if each.provider not in lost and each.key not in failing]
        if self._options.preset != "local":
            raise StartError(_NOTHING)
        return _Plan(render_embedded(heading=self._write_heading("local, embedded")), {}), {}

    def _ask_models(self, plan: _Plan) -> Mapping[str, str]:
        """Return the problems of the models that do not answer, and print them."""
        if self._options.no_check or self._options.dry_run or plan.settings is None:
            return {}
        _say(f"Asking {', '.join(member.name for member in plan.members)} ...")
        problems = asyncio.run(find_problems(plan.settings))
        for name, problem in problems.items():
            _say(f"{name}: {redact(problem, plan.keys.values())}")
        return problems

    def _plan_panel(
        self, chosen: Sequence[Offer], offers: Sequence[Offer], findings: Sequence[Finding], preset: Preset
    ) -> _Plan:
        listed = {offer.key: offer for offer in offers}
        critic = self._options.critic or chosen[0]
        everyone = dict.fromkeys(offer.key for offer in [*chosen, critic])
        members = self._describe_members([listed.get(key, Offer(*key)) for key in everyone], findings)
        names = [member.name for member in members]
        panel = names[: len(dict.fromkeys(chosen))]
        author = names[list(everyone).index(critic.key)]
        fallbacks = [name for name in panel if name != author][:1]
        text = render_config(members, panel, [author, *fallbacks], heading=self._write_heading(preset))
        keys = {name: self._environ[name].strip() for member in members if (name := member.variable)}
        return _Plan(text, keys, members, self._load(text))

    def _load(self, text: str) -> Settings:
        """Return the settings of a configuration before any file is written. Raises StartError if they are invalid."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / locations.FILE_NAME
            path.write_text(text, encoding="utf-8")
            try:
                return load(path, self._environ)
            except ConfigError as error:
                raise StartError(str(error).replace(str(path), "the new configuration")) from None

    def _warn_of_unlisted(self, findings: Sequence[Finding]) -> None:
        lists = {finding.candidate.provider: finding.models.ids for finding in findings if finding.offers}
        for offer in [*self._options.model, *filter(None, [self._options.critic])]:
            ids = lists.get(offer.provider)
            if ids is not None and offer.model_id not in ids:
                hint = suggest(offer.model_id, ids)
                _say(f"{offer.provider}: {offer.model_id!r} is not in its list of models{hint}")

    def _find(self) -> list[Finding]:
        """Return the upstreams that list models; print the others' problems. Ask for keys if there are none."""
        named = [offer.provider for offer in [*self._options.model, self._options.critic] if offer]
        only = [*self._options.provider, *named]
        base_urls = dict(self._options.base_url)
        candidates = list_candidates(self._environ, only=only, base_urls=base_urls)
        findings = asyncio.run(ask_candidates(candidates))
        self._report(findings, only)
        if self._dialog and not any(finding.offers for finding in findings):
            for candidate in self._ask_for_keys(self._dialog, base_urls):
                asked = asyncio.run(ask_candidates([candidate]))
                self._report(asked, [candidate.provider])
                findings += asked
        return findings

    def _ask_for_keys(self, dialog: Dialog, base_urls: Mapping[str, str]) -> Iterable[Candidate]:
        _say(f"Providers: {', '.join(HOSTED)}")
        while True:
            provider = dialog.ask("Which provider do you have a key for? (empty: go on) ").strip().lower()
            if not provider:
                return
            if provider not in HOSTED:
                _say(f"{provider!r} is not among them{suggest(provider, HOSTED)}")
                continue
            variable = PROVIDERS[provider].key_variable or ""
            key = dialog.ask_secret(f"{variable} (not shown): ").strip()
            if key:
                self._environ[variable] = key
                yield from list_candidates(self._environ, only=[provider], base_urls=base_urls)

    def _report(self, findings: Iterable[Finding], only: Sequence[str]) -> None:
        """Print the findings; local servers that do not run are mentioned only if they were requested by name."""
        for finding in findings:
            candidate = finding.candidate
            source = candidate.variable or candidate.host
            if finding.offers:
                _say(f"{candidate.provider}: {len(finding.offers)} models ({source})")
            elif finding.problem and (not candidate.is_local or candidate.provider in only):
                _say(f"{candidate.provider}: {finding.problem}")

    def _choose_preset(self, offers: Sequence[Offer]) -> Preset:
        given: Preset | None = self._options.preset
        default: Preset = "coding" if any(not offer.is_local for offer in offers) else "local"
        if given or not self._dialog or not offers:
            return given or default
        answer = self._dialog.ask(f"What for: {', '.join(PRESETS)}? [{default}] ").strip().lower()
        return next((each for each in PRESETS if answer and each.startswith(answer)), default)

    def _describe_members(self, offers: Sequence[Offer], findings: Sequence[Finding]) -> list[Member]:
        found = {finding.candidate.provider: finding.candidate for finding in findings}
        given = dict(self._options.price)
        members = []
        for offer, name in zip(offers, choose_names([each.key for each in offers]), strict=True):
            candidate = found.get(offer.provider)
            if candidate is None:
                variable = PROVIDERS[offer.provider].key_variable
                raise StartError(f"{offer.provider}/{offer.model_id} needs a key: set {variable}")
            price, note = find_price(offer.provider, offer.model_id, offer.price, self._today)
            if offer.model_id in given:
                price, note = given[offer.model_id], "given with --price"
            base = (offer.provider, offer.model_id, candidate.base_url, candidate.variable)
            members.append(Member(name, *base, price, note))
        return members

    def _show(self, members: Sequence[Member]) -> None:
        rows = [
            [
                Cell(each.name),
                Cell(each.provider),
                Cell(each.model_id),
                Cell(describe_price(each.price)),
                Cell(_date(each)),
            ]
            for each in members
        ]
        heads = ["MODEL", "PROVIDER", "ID", "USD PER MILLION TOKENS", "PRICE"]
        _say("\n".join(format_table(heads, rows, colours=False)))

    def _write_heading(self, preset: str) -> str:
        return (
            f"Written by `mom-gateway init` on {self._today}, preset {preset}; docs/configuration.md has every key.\n"
            "Prices are list prices in US dollars per million tokens; correct them here if yours differ."
        )

    def _write(self, plan: _Plan) -> None:
        """Write .env first, and config.yaml only if it is valid: a gateway that watches the file finds both."""
        env_path = self._path.parent / ".env"
        try:
            text = env_path.read_text(encoding="utf-8") if env_path.exists() else ""
            merged = merge_env(text, self._present, plan.keys, replace=self._options.force)
            if plan.keys and merged != text:
                replace_file(env_path, merged, mode=_ENV_MODE)
                _say(f"Wrote {env_path} ({', '.join(plan.keys)}).")
            if self._path.exists():
                former = self._path.with_name(f"{self._path.name}.former")
                shutil.copy2(self._path, former)
                _say(f"The former configuration is {former}.")
            replace_file(self._path, plan.config, mode=_CONFIG_MODE)
        except OSError as error:
            raise StartError(f"cannot write to {self._path.parent}: {error.strerror or error}") from error
        self._warn_of_other_keys(env_path, plan.keys)
        _say(f"Wrote {self._path}.")

    def _warn_of_other_keys(self, env_path: Path, keys: Mapping[str, str]) -> None:
        """Name the variables whose value will differ from the one that was tried."""
        for name, key in keys.items():
            if self._invocation.environ.get(name, key).strip() != key.strip():
                _say(f"{name} is set to another key in the environment, which wins over {env_path}: correct it there.")
            elif not self._options.force and self._present.get(name, key) != key:
                _say(f"{env_path} keeps another {name} than the environment has; --force replaces it.")


def _find_target(invocation: Invocation) -> Path:
    """Return the file to write: the one that `serve` would read, but never the package's own."""
    if invocation.options.config is None and invocation.is_shipped:
        return locations.user_folder(invocation.environ) / locations.FILE_NAME
    return invocation.config


def _say(text: str) -> None:
    """Write a line for people; stdout is for --dry-run."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _date(member: Member) -> str:
    found = re.match(r"list price of [\d-]+|given", member.price_note)
    return found[0] if found else ""


def _provider(text: str) -> str:
    known = (*HOSTED, *SERVERS)
    if text not in known:
        hint = suggest(text, known) or f" (providers: {', '.join(known)})"
        raise argparse.ArgumentTypeError(f"{text!r} is not a provider{hint}")
    return text


def _model(text: str) -> Offer:
    provider, _, model_id = text.partition("/")
    if not model_id:
        raise argparse.ArgumentTypeError(f"must be PROVIDER/ID, is {text!r}")
    return Offer(_provider(provider), model_id, is_local=provider in SERVERS)


def _base_url(text: str) -> tuple[str, str]:
    provider, _, url = text.partition("=")
    if not url.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"must be PROVIDER=URL, is {text!r}")
    return _provider(provider), url.rstrip("/")


def _price(text: str) -> tuple[str, Price]:
    model_id, _, amounts = text.rpartition("=")
    try:
        first, last = map(Decimal, amounts.split(","))
    except (InvalidOperation, ValueError):
        raise argparse.ArgumentTypeError(f"must be ID=IN,OUT in numbers, is {text!r}") from None
    if not (model_id and first.is_finite() and last.is_finite() and first >= 0 and last >= 0):
        raise argparse.ArgumentTypeError(f"must be ID=IN,OUT with numbers of at least 0, is {text!r}")
    return model_id, Price(first, last)
