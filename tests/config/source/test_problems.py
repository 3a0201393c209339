"""Every rule of the schema, by the message that it gives."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.source.problems import MAX_MESSAGES
from tests.config.loading import problems_of, settings_of

ENVIRON = {"W": "s3cret", "N": "7", "E": ""}
A = "{name: a, base_url: 'http://h/v1'}"

# The frame of a fragment. A merge key gives the required keys, which the fragment may override.
IN_SERVER = f"models: [{A}]\nserver: {{%s}}"
IN_MODEL = f"models:\n- {A}\n- {{<<: {{name: b, base_url: 'http://h/v1'}}, %s}}"
IN_CRITIC = f"models: [{A}]\ncritic: %s"
IN_MIXTURE = f"models: [{A}]\nmixtures: [{{<<: {{name: m}}, %s}}]"

SERVER = (
    ("port: -1", "server.port: must be between 0 and 65535, is -1"),
    ("port: 65536", "server.port: must be between 0 and 65535, is 65536"),
    ("port: 1.5", "server.port: must be a whole number, is 1.5"),
    ("port: true", "server.port: must be a whole number, is true"),
    ("port: '80'", 'server.port: must be a whole number, is "80": remove the quotes'),
    ("port: [80]", "server.port: must be a whole number, is a list"),
    ("port: '${N}'", "server.port: must be a whole number, is the value of ${N}: remove the quotes"),
    ("port: '${W}${N}'", "server.port: must be a whole number, is the value of ${W} and ${N}"),
    ("port: '${E}'", "server.port: must be a whole number, is the empty value of ${E}"),
    ("max_body_mb: 0", "server.max_body_mb: must be > 0, is 0"),
    ("max_body_mb: .nan", "server.max_body_mb: must be a finite number, is NaN"),
    ("max_body_mb: .inf", "server.max_body_mb: must be a finite number, is Infinity"),
    (f"max_body_mb: 0x{'f' * 300}", "server.max_body_mb: must be a finite number, is 17218479"),
    ("max_body_mb: '1.5'", 'server.max_body_mb: must be a number, is "1.5": remove the quotes'),
    ("shutdown_timeout_s: -0.5", "server.shutdown_timeout_s: must be > 0, is -0.5"),
    ("shutdown_timeout_s: false", "server.shutdown_timeout_s: must be a number, is false"),
    ("stream_heartbeat_s: -1", "server.stream_heartbeat_s: must be >= 0, is -1"),
    ("json_heartbeat_s: 30s", 'server.json_heartbeat_s: must be a number, is "30s": write 30'),
    ("json_heartbeat_s: 500ms", 'server.json_heartbeat_s: must be a number, is "500ms"'),
    ("json_heartbeat_s: soon", 'server.json_heartbeat_s: must be a number, is "soon"'),
    ("usage: totl", 'server.usage: must be answer or total, is "totl": did you mean total?'),
    ("usage: '${W}'", "server.usage: must be answer or total, is the value of ${W}"),
    ("streaming: no", 'server.streaming: must be allow or reject, is "no"'),
    ("host: ''", 'server.host: must not be empty, is ""'),
    ("host: 1", "server.host: must be text, is 1: put it in quotes"),
    ("prot: 1", "server.prot: is an unknown key: did you mean port?"),
    ("zzz: 1", "server.zzz: is an unknown key"),
    ("port:8000", "server.(a key that is not shown): is not a key: write a space after the colon of port:"),
    (f"host: [{'x' * 100}]", "server.host: must be text, is a list"),
    (f"usage: {'x' * 100}", f'server.usage: must be answer or total, is "{"x" * 59}…'),
)
MODEL = (
    ("name: a b", "models[1].name: must have at most 128 letters, digits and . _ : / @ + -, and begin with a letter"),
    ("name: 7", "models[1].name: must be text, is 7: put it in quotes"),
    ("name: a", 'models[1].name: is "a", which is already the name of models[0]'),
    ("base_url: ftp://h", "models[1].base_url: must begin with http:// or https:// and a host"),
    ("base_url: localhost:11434/v1", "models[1].base_url: must begin with http:// or https:// and a host"),
    ("base_url: 'http:///v1'", "models[1].base_url: must begin with http:// or https:// and a host"),
    ("base_url: 'http://h h'", "models[1].base_url: must not contain blanks, backslashes or control characters"),
    ("base_url: 'http://h:x'", "models[1].base_url: must be a URL with a valid host and port"),
    ("base_url: 'http://[h'", "models[1].base_url: must be a URL with a valid host and port"),
    ("base_url: 'http://\u00e9..example/v1'", "models[1].base_url: must be a URL with a valid host and port"),
    ("base_url: 'http://u:s3cret@h'", "models[1].base_url: must not contain user:password@: put the key under"),
    ("base_url: 'http://h/?key=s3cret'", "models[1].base_url: must not have a query or fragment: put credentials"),
    ("base_url: 'http://h/v1/chat/completions/'", "models[1].base_url: must end before /chat/completions"),
    ("base_url: 'http://localhost:8000/v1'", "models[1].base_url: is the gateway's own address, port 8000"),
    ("base_url: 'http://[::1]:8000/v1'", "models[1].base_url: is the gateway's own address, port 8000"),
    ("base_url: 'http://0.0.0.0:8000'", "models[1].base_url: is the gateway's own address, port 8000"),
    ("base_url: [http]", "models[1].base_url: must be text, is a list"),
    ("provider: olama", 'or embedded, is "olama": did you mean ollama?'),
    ("api_key: ''", 'models[1].api_key: must not be empty, is ""'),
    ("api_key: '${E}'", "models[1].api_key: must not be empty, is the empty value of ${E}"),
    ("api_key: s3cret key", "printable ASCII without blanks and line ends (its value is not shown)"),
    ('api_key: "s3cret\\nkey"', "printable ASCII without blanks and line ends (its value is not shown)"),
    ("api_key: s3crét", "printable ASCII without blanks and line ends (its value is not shown)"),
    ("api_key: '${W} ${W}'", "printable ASCII without blanks and line ends (is the value of ${W})"),
    ("api_key: $MY_KEY", "models[1].api_key: is $MY_KEY, which is not replaced: write ${MY_KEY}"),
    ("api_key: 12345", "models[1].api_key: must be text: put it in quotes"),
    ("api_key: {a: s3cret}", "models[1].api_key: must be text, is a mapping"),
    ("model: 3.5", "models[1].model: must be text, is 3.5: put it in quotes"),
    ("params: [1]", "models[1].params: must be a mapping, is a list"),
    ("params: {model: x}", "models[1].params.model: must not be set here: the gateway sets it; write the model's id"),
    ("params: {messages: []}", "models[1].params.messages: must not be set here: the gateway sends the client's"),
    ("params: {stream: true}", "models[1].params.stream: must not be set here: the gateway decides"),
    ("params: {a: [{b: .nan}]}", "models[1].params.a[0].b: must be a JSON value, is NaN"),
    ("drop: temperature", 'models[1].drop: must be a list, is "temperature": put it in brackets'),
    ("drop: [stream]", "models[1].drop[0]: must not be stream: the gateway decides"),
    ("drop: [seed, seed]", "models[1].drop[1]: is listed twice, first as [0]"),
    ("drop: [seed], params: {seed: 1}", "models[1].drop: must not list seed, which params sets as well"),
    ("drop: [seed], rename: {seed: s}", "models[1].drop: must not list seed, which rename sets as well"),
    ("rename: [seed]", "models[1].rename: must be a mapping of parameter names to names, is a list"),
    ("rename: {seed: seed}", "models[1].rename.seed: must have another name than before"),
    ("rename: {messages: m}", "models[1].rename.messages: must not be renamed: the gateway sends the client's"),
    ("rename: {seed: model}", "models[1].rename.seed: must not be model: the gateway sets it"),
    ("rename: {a: x, b: x}", "models[1].rename.b: must not give two parameters the same name"),
    ("headers: s3cret", "models[1].headers: must be a mapping of header names to texts"),
    ('headers: {X-A: "s3\\r\\ncret"}', "models[1].headers.X-A: must not contain line ends or other control char"),
    ("headers: {X-A: 5}", "models[1].headers.X-A: must be text: put it in quotes"),
    ("headers: {X-A: [s3cret]}", "models[1].headers.X-A: must be text, is a list"),
    ("headers: {transfer-Encoding: x}", "models[1].headers.transfer-Encoding: is a connection header"),
    ("headers: {Host: x}", "models[1].headers.Host: is a connection header"),
    ('headers: {"X\\n": x}', "models[1].headers.(a key that is not shown): is not a header name"),
    ("headers: {X-A: a, x-a: b}", "models[1].headers.x-a: is set twice; upper and lower case are the same"),
    ("api_key: k, headers: {authorization: k}", "models[1].api_key: is set twice: here and as the header"),
    ("timeout_s: -3", "models[1].timeout_s: must be > 0, is -3"),
    ("connect_timeout_s: 0", "models[1].connect_timeout_s: must be > 0, is 0"),
    ("first_byte_timeout_s: 0", "models[1].first_byte_timeout_s: must be > 0, is 0"),
    ("idle_timeout_s: 0", "models[1].idle_timeout_s: must be > 0, is 0"),
    ("hedge: 8", "models[1].hedge: must be a mapping, is 8"),
    ("hedge: {}", "models[1].hedge.after_s: is missing"),
    ("hedge: {after_s: 0}", "models[1].hedge.after_s: must be > 0, is 0"),
    ("retries: 11", "models[1].retries: must be between 0 and 10, is 11"),
    ("max_concurrency: 0", "models[1].max_concurrency: must be between 1 and 10000, is 0"),
    ("capabilities: vision", 'models[1].capabilities: must be a list, is "vision"'),
    ("capabilities: [visoin]", 'or logprobs, is "visoin": did you mean vision?'),
    ("capabilities: [tools, tools]", "models[1].capabilities[1]: is listed twice, first as [0]"),
    ("context_tokens: 255", "models[1].context_tokens: must be at least 256, is 255"),
    ("path: a.gguf", "models[1].path: is only for models with provider: embedded"),
    ("threads: 1", "models[1].threads: is only for models with provider: embedded"),
    ("slots: 1", "models[1].slots: is only for models with provider: embedded"),
    ("apikey: s3cret", "models[1].apikey: is an unknown key: did you mean api_key?"),
    ("temperature: 0.5", "models[1].temperature: is an unknown key: a parameter of chat completions goes under params"),
    ("api_key:s3cret", "models[1].(a key that is not shown): is not a key: write a space after the colon of api_key:"),
)
CRITIC = (
    ("zap", 'critic: is "zap", which is not a model (models: "a")'),
    ("[a]", "critic: must be a mapping, is a list"),
    ("{model: zap}", 'critic.model: is "zap", which is not a model (models: "a")'),
    ("{fallbacks: a}", 'critic.fallbacks: must be a list, is "a"'),
    ("{fallbacks: [a, zap]}", 'critic.fallbacks[1]: is "zap", which is not a model (models: "a")'),
    ("{model: a, fallbacks: [a]}", "critic.fallbacks: must not list the critic's own model"),
    ("{prompt: Write.}", "critic.prompt: must contain {candidates}, which is replaced by the candidates"),
    ("{params: {model: a}}", "critic.params.model: must not be set here"),
    ("{modle: a}", "critic.modle: is an unknown key: did you mean model?"),
)
MIXTURE = (
    ("panel: []", "mixtures[0].panel: must not be empty"),
    ("panel: a", 'mixtures[0].panel: must be a list, is "a"'),
    ("panel: [a, a]", "mixtures[0].panel[1]: is listed twice, first as [0]"),
    ("panel: [null]", "mixtures[0].panel[0]: must be text, is null: put it in quotes"),
    ("panel: [a, {model: a, samples: 2}]", "mixtures[0].panel[1]: is listed twice, first as [0]"),
    ("panel: [{model: a, samples: 0}]", "mixtures[0].panel[0].samples: must be between 1 and 16, is 0"),
    (
        "panel: [{model: a, samples: 2}], quorum: 3",
        "mixtures[0].quorum: must be at most 2, the size of the panel, is 3",
    ),
    ("panel: [{samples: 2}]", "mixtures[0].panel[0].model: is missing"),
    ("layers: 4", "mixtures[0].layers: must be between 1 and 3, is 4"),
    ("verify: a", "mixtures[0].verify: must not be the critic: a model finds few defects in its own answer"),
    ("verify: {}", "mixtures[0].verify.model: is missing"),
    ("panel: [aa]", 'mixtures[0].panel[0]: is "aa", which is not a model: did you mean a? (models: "a")'),
    ("panel: ['${W}']", 'mixtures[0].panel[0]: is the value of ${W}, which is not a model (models: "a")'),
    ("critic: zap", 'mixtures[0].critic: is "zap", which is not a model (models: "a")'),
    ("critic: {fallbacks: [zap]}", 'mixtures[0].critic.fallbacks[0]: is "zap", which is not a model'),
    ("mode: slect", 'mixtures[0].mode: must be auto, fuse, select, first or direct, is "slect": did you mean select?'),
    ("deadline_s: 0", "mixtures[0].deadline_s: must be > 0, is 0"),
    ("critic_reserve_s: -1", "mixtures[0].critic_reserve_s: must be >= 0, is -1"),
    ("quorum: 0", "mixtures[0].quorum: must be at least 1, is 0"),
    ("quorum: 2", "mixtures[0].quorum: must be at most 1, the size of the panel, is 2"),
    ("panel: [zap, a], quorum: 2", 'mixtures[0].panel[0]: is "zap", which is not a model (models: "a")'),
    ("quorum: 1, grace_s: -1", "mixtures[0].grace_s: must be >= 0, is -1"),
    ("quorum: 1, grace: 0.5", "mixtures[0].grace: must be a multiple, such as 0.5x or 2x, is 0.5"),
    ("quorum: 1, grace: -1x", 'mixtures[0].grace: must be a multiple, such as 0.5x or 2x, is "-1x"'),
    ("quorum: 1, grace: 1x, grace_s: 1", "mixtures[0].grace: is set twice: here and as grace_s"),
    ("grace_s: 1", "mixtures[0].grace_s: has no effect without a quorum"),
    ("grace: 1x", "mixtures[0].grace: has no effect without a quorum"),
    ("retry_grace_s: -1", "mixtures[0].retry_grace_s: must be >= 0, is -1"),
    ("show_work: yes", 'mixtures[0].show_work: must be true or false, is "yes"'),
    ("show_reasoning: 'true'", 'mixtures[0].show_reasoning: must be true or false, is "true": remove the quotes'),
    ("tools: every_turn", 'mixtures[0].tools: must be a mapping, is "every_turn"'),
    ("tools: {fan_out: all}", 'mixtures[0].tools.fan_out: must be new_turns, every_turn or stuck, is "all"'),
    ("name: a", 'mixtures[0].name: is "a", which is already the name of models[0]'),
)
WHOLE = (
    ("models:", "config.yaml:1: models: is missing"),
    ("models: []", "config.yaml:1: models: must not be empty"),
    ("models: a", 'config.yaml:1: models: must be a list, is "a"'),
    ("models: [a]", 'config.yaml:1: models[0]: must be a mapping, is "a"'),
    ("models: [{}]", "config.yaml:1: models[0].name: is missing"),
    ("[]", "config.yaml:1: must be a mapping with a `models` key"),
    (
        f"models:\n- {A}\n- name: groq\n  model: m\n  api_key: ${{E}}",
        "config.yaml:5: models[1].api_key: must not be empty, is the empty value of ${E}",
    ),
    ("KEY=s3cret", "config.yaml:1: must be a mapping with a `models` key"),
    (f"models: [{A}]\nmixtures: []", "config.yaml:2: mixtures: must not be empty"),
    (f"models: [{A}]\nmixtures: [{{}}]", "config.yaml:2: mixtures[0].name: is missing"),
    (f"models: [{A}]\nmixtures: [{{name: m}}, {{name: m}}]", 'mixtures[1].name: is "m", which is already the name of'),
    ("models: [{name: mom, base_url: 'http://h'}]", "models[0].name: must not be mom, the name of the default mixture"),
    (f"models: [{A}]\nmodel: 1", "config.yaml:2: model: is an unknown key: did you mean models?"),
    (
        "models: [{name: a}]",
        "models[0].base_url: is missing, and no provider is set: set one of the two (providers:",
    ),
    ("models: [{name: gemini}]", "vllm, embedded): did you mean google?"),
    ("models: [{name: gemini-2.5-pro}]", "vllm, embedded): did you mean google?"),
    ("models: [{name: claude-sonnet-4.5}]", "vllm, embedded): did you mean anthropic?"),
    ("models: [{name: a, provider: gemini}]", 'or embedded, is "gemini": did you mean google?'),
    ("models: [{name: a, provider: LM-Studio}]", 'or embedded, is "LM-Studio": did you mean lmstudio?'),
    (f"models: [{A}]\nbase_url: x", "base_url: is an unknown key: it belongs under models; check its indentation"),
    (f"models: [{A}]\nport: 1", "port: is an unknown key: it belongs under server; check its indentation"),
    (f"models: [{A}]\npanel: [a]", "panel: is an unknown key: it belongs under mixtures; check its indentation"),
    (
        f"models:\n- {A}\n- critic: a\n  name: b\n  base_url: http://h",
        "models[1].critic: is an unknown key: it belongs at the top level or under mixtures; check its indentation",
    ),
    (
        f"models: [{A}]\nmixtures: [{{name: m, timeout_s: 3}}]",
        "mixtures[0].timeout_s: is an unknown key: it belongs under models; check its indentation",
    ),
    (f"models: [{A}]\n\u00a0critic: a", "is an unknown key: it has an invisible character or a non-breaking space"),
    (
        f"models: [{A}]\nmixtures: {{name: m}}\naliases: {{x: m}}",
        "mixtures: must be a list, is a mapping: begin each entry with a dash",
    ),
    ("models: [{name: opnai}]", "huggingface, ollama, lmstudio, vllm, embedded): did you mean openai?"),
    ("models: [{name: smollm2-135m}]", "vllm, embedded): an embedded model has provider: embedded"),
    ("models: [{name: '${W}'}]", "lmstudio, vllm, embedded)"),
    ("models: [{name: vllm, model: m}]", "models[0].base_url: is the gateway's own address, port 8000: it would call"),
    (
        "models: [{name: ollama}]",
        "models[0].model: is missing: the name is that of the provider, not of one of its models",
    ),
    (
        "models: [{name: a, provider: groq}]",
        'models[0].api_key: is missing, and this provider needs one: write api_key: "${GROQ',
    ),
    ("models: [{name: a, provider: embedded}]", "models[0].name: is not a known weight (known: smollm2-135m, qwen2.5"),
    (
        "models: [{name: a, provider: embedded, model: b}]",
        "models[0].model: is not a known weight (known: smollm2",
    ),
    ("models: [{name: a, provider: embedded, path: b}]", "models[0].path: is not a file; a relative path starts from"),
    ('models: [{name: a, provider: embedded, path: "b\\0"}]', "models[0].path: cannot be looked up"),
    ("models: [{name: a, provider: embedded, path: ~no-such-user/b}]", "models[0].path: cannot be looked up"),
    (
        "models: [{name: smollm2-135m, provider: embedded, api_key: k}]",
        "api_key: does not apply to models with provider: embedded",
    ),
    (
        "models: [{name: smollm2-135m, provider: embedded, headers: {a: b}}]",
        "headers: does not apply to models",
    ),
    (
        "models: [{name: smollm2-135m, provider: embedded, base_url: 'http://h'}]",
        "base_url: does not apply to models",
    ),
    (
        "models: [{name: smollm2-135m, provider: embedded, slots: 65}]",
        "models[0].slots: must be between 1 and 64, is 65",
    ),
    ("models: [{name: smollm2-135m, provider: embedded, threads: 0}]", "models[0].threads: must be at least 1, is 0"),
)

VALID = (
    IN_SERVER % f"max_body_mb: 1{'0' * 290}",
    IN_SERVER % "stream_heartbeat_s: 0",
    IN_MODEL % "base_url: 'http://192.0.2.1:8000'",
    IN_MODEL % "base_url: 'http://localhost:8001'",
    IN_MODEL % "base_url: 'https://localhost'",
    IN_MODEL % "provider: vllm",
)


def cases() -> Iterator[tuple[str, str]]:
    """Yield each configuration with the one problem that it has."""
    for template, fragments in (
        (IN_SERVER, SERVER),
        (IN_MODEL, MODEL),
        (IN_CRITIC, CRITIC),
        (IN_MIXTURE, MIXTURE),
        ("%s", WHOLE),
    ):
        for fragment, expected in fragments:
            yield template % fragment, expected


@pytest.mark.parametrize(("text", "expected"), list(cases()))
def test_one_message_for_each_problem(tmp_path: Path, text: str, expected: str) -> None:
    """Each broken rule gives one line with the place, the rule and the value, and shows no secret."""
    (problem,) = problems_of(tmp_path, text, ENVIRON)
    assert expected in problem
    assert "s3cret" not in problem


@pytest.mark.parametrize("text", VALID)
def test_the_bounds_themselves_are_allowed(tmp_path: Path, text: str) -> None:
    """Values at the bounds are valid."""
    assert settings_of(tmp_path, text, ENVIRON).models


def test_of_very_many_problems_the_first_are_shown(tmp_path: Path) -> None:
    """A file that is no configuration at all floods neither the terminal nor the log."""
    text = f"models: [{A}]\n" + "".join(f"odd{n}: 1\n" for n in range(MAX_MESSAGES + 1_000))
    problems = problems_of(tmp_path, text)
    assert len(problems) == MAX_MESSAGES + 1
    assert problems[-1].endswith("1,000 more problems are not shown")


def test_all_problems_at_once_in_file_order(tmp_path: Path) -> None:
    """Missing variables, structure, types, bounds and references are reported together, each with its line."""
    problems = problems_of(
        tmp_path,
        """\
        mixtures:
          - name: m
            panel: [sonnet, gpt]
            panl: []
        models:
          - name: sonnet
            base_url: http://h/v1
            timeout_s: -3
            api_key: ${UNSET}
          - name: openai
            model: x
            retries: 2
            retries: 3
          - model: y
        critic: {model: sonet}
        """,
    )
    assert [problem.split(": ")[:3] for problem in problems] == [
        ["config.yaml:3", "mixtures[0].panel[1]", 'is "gpt", which is not a model (models'],
        ["config.yaml:4", "mixtures[0].panl", "is an unknown key"],
        ["config.yaml:8", "models[0].timeout_s", "must be > 0, is -3"],
        ["config.yaml:9", "models[0].api_key", "${UNSET} is not set"],
        ["config.yaml:10", "models[1].api_key", "is missing, and this provider needs one"],
        ["config.yaml:13", "models[1].retries", "is a duplicate key, first on line 12"],
        ["config.yaml:14", "models[2].name", "is missing"],
        ["config.yaml:15", "critic.model", 'is "sonet", which is not a model'],
    ]


@pytest.mark.parametrize(
    "model",
    [
        "name: a, base_url: 'nonsense'",
        "name: openai, model: m, base_url: '${UNSET}'",
        "name: a, provider: opnai",
        "name: a, provider: opnai, path: x",
        "name: ollama, model: [x]",
        "name: a, provider: embedded, model: [x]",
        "name: a, provider: embedded, path: [x]",
        "name: [openai]",
        "name: [a], provider: embedded",
        "name: openai, model: m, api_key: [x]",
        "name: openai, model: m, api_key: '${UNSET}'",
        "name: ollama, model: m, headers: {X-A: '${UNSET}'}",
        "name: ollama, model: m, params: {a: ['${UNSET}']}",
    ],
)
def test_one_mistake_is_reported_once(tmp_path: Path, model: str) -> None:
    """An invalid key is not reported as missing too, and its consequences are not reported."""
    assert len(problems_of(tmp_path, f"models: [{{{model}}}]")) == 1


def test_an_unreadable_port_accuses_no_model(tmp_path: Path) -> None:
    """Without a valid port no URL can be compared with the gateway's own address."""
    problems = problems_of(tmp_path, "server: {port: x}\nmodels: [{name: vllm, model: m}]")
    assert len(problems) == 1
