"""The steps of each recipe: exactly the files that its row names."""

import json
from collections.abc import Callable, Mapping
from textwrap import dedent

from tests.copied import SourceCopy
from tests.processes import ROOT


def _client_api(copy: SourceCopy) -> None:
    """Take the API of tests/handlers/api/test_client_api.py, as a folder of its own."""
    source = ROOT.joinpath("tests/handlers/api/test_client_api.py").read_text(encoding="utf-8")
    imports = source[source.index("from collections.abc") : source.index("import pytest\n")]
    classes = source[source.index("class _LineWriter") : source.index("async def test_a_further_api")]
    ours = dedent("""\
        from aiohttp import web
        from config.settings import Server
        from handlers.api.intake.body import decode_body
        from handlers.api.client_api import Envelope, Pulse
        from handlers.api.reply.shown_work import ShownWork
        from handlers.errors import ApiError
        from synth.events import Event, Finished, TextDelta
        from synth.request import ChatRequest
        """)
    copy.add("handlers/api/lines/__init__.py", '"""A client API in lines of text."""\n')
    copy.add("handlers/api/lines/api.py", f"{imports}{ours}\n\n{classes}")
    copy.edit(
        "handlers/api/apis.py", "_ASK = AskApi()\n", "from handlers.api.lines.api import _LineApi\n_ASK = AskApi()\n"
    )
    copy.edit("handlers/api/apis.py", '    "/v1/ask": _ASK,\n', '    "/v1/ask": _ASK,\n    "/lines": _LineApi(),\n')


def _mode(copy: SourceCopy) -> None:
    """Take the mode of docs/architecture.md as it stands there."""
    page = ROOT.joinpath("docs/architecture.md").read_text(encoding="utf-8")
    section = page[page.index("\n## A mode of synthesis\n") :]
    source = section[section.index("```python\n") + len("```python\n") :]
    copy.add("synth/modes/shortest.py", source[: source.index("```")])
    table = "MODES: Mapping[str, Mode] = {"
    imported = "from synth.modes.shortest import shortest\n\n"
    copy.edit("synth/mixture.py", table, f'{imported}{table}"shortest": shortest, ')
    copy.edit("config/settings.py", 'Mode = Literal["auto", ', 'Mode = Literal["auto", "shortest", ')


def _reader(copy: SourceCopy) -> None:
    reader = dedent('''\


        class _Counter:
            """Counts the candidates of all runs."""

            n_candidates = 0

            def read(self, event: Event) -> None:
                if type(event).__name__ == "CandidateArrived":
                    self.n_candidates += 1


        COUNTER = _Counter()
        ''')
    copy.edit("handlers/api/exchange.py", "\nREPORT_AFTER_S =", f"{reader}\nREPORT_AFTER_S =")
    copy.edit(
        "handlers/api/exchange.py", "= [self.context.record.read]\n", "= [self.context.record.read, COUNTER.read]\n"
    )


def _metric(copy: SourceCopy) -> None:
    counter = 'Counter("mom_proposers_asked", "Proposers that were asked", "mixture")'
    last = "        self._metrics = ["
    copy.edit("handlers/telemetry/metrics.py", last, f"        self._asked = {counter}\n{last}")
    copy.edit(
        "handlers/telemetry/metrics.py",
        "        if record.n_asked:\n",
        "        if record.n_asked:\n            self._asked[mixture,] += record.n_asked\n",
    )
    row = "| `mom_candidates` | mixture | usable candidates of a panel |\n"
    copy.edit(
        "docs/operations.md", row, f"{row}| `mom_proposers_asked_total` | mixture | proposers that were asked |\n"
    )
    dashboard = "deploy/grafana/mom-gateway.json"
    panels = json.loads((copy.root / dashboard).read_text(encoding="utf-8"))["panels"]
    shown = next(panel for panel in panels if panel["title"] == "Traffic of chat requests")["targets"][0]["expr"]
    asked = 'sum(rate(mom_proposers_asked_total{instance=~"$instance"}[$__rate_interval]))'
    copy.edit(dashboard, f'"expr": {json.dumps(shown)}', f'"expr": {json.dumps(f"{shown} + {asked}")}')


def _span_attribute(copy: SourceCopy) -> None:
    line = '        "mom.mode": record.mode,\n'
    copy.edit("handlers/telemetry/spans.py", line, f'{line}        "mom.bytes_out": record.bytes_out,\n')


def _fact_on_a_page(copy: SourceCopy) -> None:
    copy.edit("handlers/traces/schema.py", "    n: int = 1\n", "    n: int = 1\n    n_messages: int = 0\n")
    copy.edit("handlers/traces/collector.py", "n=request.n,", "n=request.n, n_messages=len(request.messages),")
    line = "<div><dt>HTTP status</dt>"
    fact = "<div><dt>Messages</dt><dd>{{ trace.request.n_messages|count }}</dd></div>\n"
    copy.edit("handlers/ui/templates/request.html", line, f"{fact}{line}")


def _sentence_of_the_doctor(copy: SourceCopy) -> None:
    sentence = dedent("""\
        def _explain_region(error: CallError, model: Model, _circumstances: Circumstances) -> str:
            if "not available in your region" not in error.message:
                return ""
            return f"{_host(model)} does not serve this region ({quote(error)}): use another provider"


        _EXPLANATIONS = (
            _explain_region,
        """)
    copy.edit("upstream/doctor/diagnosis.py", "_EXPLANATIONS = (\n", sentence)


def _provider(copy: SourceCopy) -> None:
    copy.edit(
        "config/providers.py",
        "PROVIDERS: dict[str, Provider] = {\n",
        "PROVIDERS: dict[str, Provider] = {\n"
        '    "acme": Provider("https://llm.acme.example/v1", "ACME_API_KEY", ALL_CAPABILITIES),\n',
    )
    row = "| `cerebras` |"
    copy.edit("docs/configuration.md", row, f"| `acme` | https://llm.acme.example/v1 | `ACME_API_KEY` | all |\n{row}")


def _request_quirk(copy: SourceCopy) -> None:
    copy.edit(
        "upstream/openai/quirks.py",
        '    OPEN_THOUGHT = "open_thought"',
        '    LOWER = "lower"  # send the text of the field `name` in lower case\n    OPEN_THOUGHT = "open_thought"',
    )
    apply = dedent("""\
        def _lower(quirk: Quirk, messages: Messages, fields: Fields) -> Fitted:
            stated = fields.get(quirk.name)
            is_upper = isinstance(stated, str) and stated != stated.lower()
            return (messages, {**fields, quirk.name: stated.lower()}) if is_upper else (messages, fields)


        _APPLY: Mapping[Action, Callable[[Quirk, Messages, Fields], Fitted]] = {
            Action.LOWER: _lower,
        """)
    copy.edit(
        "upstream/openai/quirks.py", "_APPLY: Mapping[Action, Callable[[Quirk, Messages, Fields], Fitted]] = {\n", apply
    )
    words = "_WORDS: Mapping[Action, str] = {\n"
    copy.edit("upstream/openai/quirks.py", words, f'{words}    Action.LOWER: "{{name}} is sent in lower case",\n')
    rule = dedent("""\
        def _find_case(statement: Statement, request: Request) -> list[Quirk]:
            found = re.search(r"(\\w+) must be lower ?case", statement.words)
            return [Quirk(Action.LOWER, found[1], cause=statement.words)] if found else []


        _RULES: tuple[Rule, ...] = (
            _find_case,
        """)
    copy.edit("upstream/openai/refusals/rules.py", "_RULES: tuple[Rule, ...] = (\n", rule)


def _odd_reply(copy: SourceCopy) -> None:
    copy.edit(
        "upstream/openai/finish_reasons.py", '    "stop": """stop stopped', '    "stop": """wrapped_up stop stopped'
    )


def _prompt(copy: SourceCopy) -> None:
    copy.add(
        "synth/prompts/haiku.py",
        '"""A prompt for a critic in verse. Pure."""\n\n'
        'PROMPT = "{count} drafts, marked {nonce}:\\n\\n{candidates}\\n\\nAnswer in verse: {request}"\n',
    )


def _config_key(copy: SourceCopy) -> None:
    copy.edit("config/schema.py", '    "show_work": boolean,\n', '    "show_work": boolean,\n    "motto": text,\n')
    copy.edit(
        "config/settings.py",
        "    show_work: bool = False\n",
        '    show_work: bool = False\n    motto: str = "onward"\n',
    )
    row = "| `show_work` | `true`, `false` |"
    copy.edit("docs/configuration.md", row, f"| `motto` | text | `onward` | what the panel lives by |\n{row}")


def _command(copy: SourceCopy) -> None:
    module = dedent('''\
        """The command `hello`."""

        import argparse
        import sys

        from handlers.terminal.commands import EXIT_OK, Invocation


        def add_arguments(parser: argparse.ArgumentParser) -> None:
            """Add the name to greet."""
            parser.add_argument("name")


        def run(invocation: Invocation) -> int:
            """Greet."""
            sys.stdout.write(f"Hello, {invocation.options.name}.\\n")
            return EXIT_OK
        ''')
    copy.add("handlers/terminal/hello.py", module)
    table = "COMMANDS: tuple[Command, ...] = ("
    entry = 'Command("hello", "greet somebody", "handlers.terminal.hello")'
    copy.edit("handlers/terminal/commands.py", table, f"{table}{entry}, ")


STEPS: Mapping[str, Callable[[SourceCopy], None]] = {
    "a client API": _client_api,
    "a mode": _mode,
    "a reader of runs": _reader,
    "a metric": _metric,
    "a span attribute": _span_attribute,
    "a fact on a trace page": _fact_on_a_page,
    "a sentence of the doctor": _sentence_of_the_doctor,
    "a provider": _provider,
    "a provider's request quirk": _request_quirk,
    "an odd reply": _odd_reply,
    "a prompt": _prompt,
    "a config key": _config_key,
    "a command": _command,
}
"""How to follow a recipe, by the first cell of its row."""
