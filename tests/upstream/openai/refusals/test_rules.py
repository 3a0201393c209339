"""The parts of a request that a refusal excludes, in the words of many providers."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.upstream.openai.refusals.cases import DESERIALIZE, FIELDS, MESSAGES, UNSUPPORTED, detail, found, openai
from upstream.openai.conversation import Conversation
from upstream.openai.quirks import Action, Quirk, fit
from upstream.openai.refusals import find_quirks

MESSAGE_REFUSALS: list[tuple[str, Any, list[tuple[str, ...]]]] = [
    (
        "DeepSeek role",
        openai(
            DESERIALIZE
            + "messages[0].role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`"
        ),
        [("role", "developer", "system")],
    ),
    ("Mistral role", openai("Unexpected role 'developer'"), [("role", "developer", "system")]),
    (
        "OpenAI role",
        openai(
            "Invalid value: 'developer'. Supported values are: 'system', 'assistant', 'user', 'function', and 'tool'.",
            "messages[0].role",
            "invalid_value",
        ),
        [("role", "developer", "system")],
    ),
    (
        "pydantic role",
        detail(
            "messages", 0, "role", kind="literal_error", msg="Input should be 'system', 'user', 'assistant' or 'tool'"
        ),
        [("role", "developer", "system")],
    ),
    (
        "JSON schema role",
        openai("'developer' is not one of ['system', 'assistant', 'user', 'function'] - 'messages.0.role'"),
        [("role", "developer", "system")],
    ),
    ("template role", openai("Unknown role: developer"), [("role", "developer", "system")]),
    ("Qwen's template", openai("Unexpected message role: developer at row 12"), [("role", "developer", "system")]),
    (
        "Gemma on Gemini",
        openai("Developer instruction is not enabled for models/gemma-3-27b-it"),
        [("role", "developer", "user")],
    ),
    ("Ollama images", openai("this model is missing data required for image input"), [("no_media",)]),
    (
        "litellm's Anthropic",
        openai("Anthropic expects the `tools=` param to be passed in if tool calls are in the messages."),
        [("tools_as_text",)],
    ),
    ("images", openai("This model does not support image input."), [("no_media",)]),
    (
        "OpenAI images",
        openai("Invalid content type. image_url is only supported by certain models.", "messages.[4].content.[0].type"),
        [("no_media",)],
    ),
    (
        "DeepSeek images",
        openai(DESERIALIZE + "messages[4]: unknown variant `image_url`, expected `text`"),
        [("no_media",)],
    ),
    (
        "OpenRouter images",
        {"error": {"message": "No endpoints found that support image input", "code": 404}},
        [("no_media",)],
    ),
    ("vLLM images", openai("m is not a multimodal model"), [("no_media",)]),
    ("vLLM limit", openai("At most 0 image(s) may be provided in one prompt."), [("no_media",)]),
    (
        "litellm tools",
        openai("UnsupportedParamsError: tool calling without `tools=` param specified is not supported"),
        [("tools_as_text",)],
    ),
    (
        "Bedrock tools",
        openai("The toolConfig field must be defined when using toolUse and toolResult content blocks."),
        [("tools_as_text",)],
    ),
    (
        "Anthropic tools",
        openai("Requests which include `tool_use` or `tool_result` blocks must define tools."),
        [("tools_as_text",)],
    ),
    (
        "unknown tool role",
        openai(DESERIALIZE + "messages[3].role: unknown variant `tool`, expected one of `system`, `user`"),
        [("tools_as_text",)],
    ),
    ("Mistral turns", openai("Unexpected role 'user' after role 'tool'"), [("tools_as_text",), ("alternate",)]),
    ("Mistral ids", openai("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."), [("short_ids",)]),
    (
        "OpenAI ids",
        openai(
            "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40.",
            "messages[2].tool_calls[0].id",
            "string_above_max_length",
        ),
        [("short_ids",)],
    ),
    ("vLLM turns", openai("Conversation roles must alternate user/assistant/user/assistant/..."), [("alternate",)]),
    (
        "DeepSeek content",
        openai(DESERIALIZE + "messages[1].content: invalid type: sequence, expected a string"),
        [("plain_content",)],
    ),
    (
        "FastAPI content",
        detail("messages", 2, "content", kind="string_type", msg="Input should be a valid string"),
        [("plain_content",)],
    ),
    (
        "cache_control",
        openai("messages.1.content.0.cache_control: Extra inputs are not permitted"),
        [("drop_in_messages", "cache_control")],
    ),
    (
        "JSON mode",
        openai("'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."),
        [("mention_json",)],
    ),
    (
        "LM Studio",
        {"error": "'response_format.type' must be 'json_schema' or 'text'"},
        [("format", "json_object", "json_schema")],
    ),
    (
        "DeepSeek of old",
        openai(DESERIALIZE + "response_format: response_format.type `json_object` is unavailable now"),
        [("format", "json_object")],
    ),
    (
        "no JSON mode",
        openai("response_format is not supported with this model", "response_format", "unsupported_parameter"),
        [("format", "json_object")],
    ),
]


@pytest.mark.parametrize(
    ("body", "expected"), [case[1:] for case in MESSAGE_REFUSALS], ids=[case[0] for case in MESSAGE_REFUSALS]
)
def test_a_refused_part_of_the_conversation_is_found(body: Any, expected: list[tuple[str, ...]]) -> None:
    """Roles, pictures, tool turns, ids, and forms of the answer."""
    assert found(body) == expected


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "strict": True,
            "parameters": {"type": "object", "additionalProperties": False},
        },
    }
]
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "minLength": 1}}}


@pytest.mark.parametrize(
    ("fields", "body", "expected"),
    [
        (
            {"tools": TOOLS},
            {"error": "registry.ollama.ai/library/gemma:2b does not support tools"},
            [("drop", "tools")],
        ),
        (
            {"tools": TOOLS},
            {"error": {"message": "No endpoints found that support tool use.", "code": 404}},
            [("drop", "tools")],
        ),
        (
            {"tools": TOOLS},
            openai('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
            [("drop", "tools")],
        ),
        ({"tools": TOOLS}, openai("tools param requires --jinja flag"), [("drop", "tools")]),
        (
            {"tools": TOOLS, "tool_choice": "required"},
            openai("tool_choice 'required' is not supported by this model"),
            [("tool_choice", "required")],
        ),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"error": "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"},
            [("tool_choice", "named", "required")],
        ),
        ({"tools": TOOLS}, detail("tools", 0, "function", "strict"), [("drop_in_tools", "strict")]),
        (
            {"tools": TOOLS},
            {
                "error": {
                    "message": "Unknown name \"additionalProperties\" at 'tools[0].functions[0]': Cannot find field."
                }
            },
            [("drop_in_tools", "additionalProperties")],
        ),
        (
            {"response_format": SCHEMA},
            {"error": "'response_format.type' must be 'json_object' or 'text'"},
            [("format", "json_schema", "json_object")],
        ),
        (
            {"response_format": SCHEMA},
            openai("This model does not support structured outputs (json_schema)."),
            [("format", "json_schema", "json_object")],
        ),
        (
            {"max_completion_tokens": 9},
            openai("Unknown parameter: max_completion_tokens"),
            [("rename", "max_completion_tokens", "max_tokens")],
        ),
        (
            {"tools": TOOLS, "response_format": SCHEMA},
            openai("Cannot use custom grammar constraints with tools."),
            [("format", "json_schema", "json_object")],
        ),
        ({"tools": TOOLS}, openai("tools[0].function has additional property 'strict'"), [("drop_in_tools", "strict")]),
        (STREAMED, openai("`stream_options` is not supported when `stream` is true"), [("drop", "stream_options")]),
        (STREAMED, openai("Streaming is not available for this model"), [("drop", "stream")]),
        (STREAMED, openai("stream responses are not yet supported with stream_options"), [("drop", "stream")]),
        ({"temperature": 3}, openai("temperature=3.0 is not supported"), [("drop_value", "temperature", "3")]),
        (
            {"temperature": 3},
            openai("temperature 3 is not supported", "temperature", "unsupported_parameter"),
            [("drop", "temperature")],
        ),
        ({"temperature": 0.5}, openai("only accepts temperature=1"), [("keep_value", "temperature", "1")]),
        ({"n": 2}, openai("litellm.UnsupportedParamsError: m does not support parameters: {'n': 2}"), [("drop", "n")]),
    ],
)
def test_refused_tools_and_forms_are_replaced(fields: Any, body: Any, expected: list[tuple[str, ...]]) -> None:
    """The nearest thing that the model does take."""
    assert found(body, fields) == expected


@pytest.mark.parametrize("status", [None, 401, 403, 408, 413, 429, 503])
def test_only_refusals_are_read(status: int | None) -> None:
    """Other statuses are no refusals, whatever their words."""
    body = openai(UNSUPPORTED.format("seed"), "seed", "unsupported_parameter")
    assert find_quirks(body, status, MESSAGES, FIELDS) == []


@pytest.mark.parametrize(
    "body",
    [
        openai("system.0.cache_control: Extra inputs are not permitted"),
        openai("tools.0.custom.cache_control: Extra inputs are not permitted"),
        openai("cache_control is not supported"),
        openai("This model does not support prompt caching."),
        openai('json: unknown field "cache_control"'),
        {"detail": [{"loc": ["body", "messages", 1, "cache_control"], "msg": "Extra inputs are not permitted"}]},
    ],
)
def test_whatever_prompt_caching_needs_is_left_out_as_a_whole(body: Any) -> None:
    """In messages, in tools, and the key of a conversation, if a refusal means caching altogether."""
    tools = [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]
    fields = {"model": "m", "tools": tools, "prompt_cache_key": "k"}
    _, fitted = fit([Quirk(Action(action), *rest) for action, *rest in found(body, fields)], MESSAGES, fields)
    assert ("drop_in_messages", "cache_control") in found(body, fields)
    assert "cache_control" not in fitted["tools"][0]
    assert ("prompt_cache_key" in fitted) is ("caching" not in str(body))


def test_a_second_refusal_goes_a_step_further() -> None:
    """What has been sent under another name or role is not sent back under the first."""
    renamed = Quirk(Action.RENAME, "max_tokens", "max_completion_tokens")
    refusal = openai(UNSUPPORTED.format("max_completion_tokens"), "max_completion_tokens", "unsupported_parameter")
    assert found(refusal, {"max_completion_tokens": 9}, known=[renamed]) == [("drop", "max_completion_tokens")]
    as_system = Quirk(Action.ROLE, "developer", "system")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]
    assert found(openai("System role not supported"), {}, messages, known=[as_system]) == [("role", "system", "user")]
    refusal = openai(
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "messages[0].role",
        "unsupported_value",
    )
    assert found(refusal, {}, messages) == [("role", "system", "user")]


def test_every_quirk_that_is_found_changes_the_request() -> None:
    """So asking again is never asking the same."""
    messages = Conversation(MESSAGES)
    for _, body, _ in MESSAGE_REFUSALS:
        quirks = find_quirks(body, 400, messages, FIELDS)
        assert fit(quirks, messages, FIELDS) != (messages, FIELDS)


MANY_NAMES = " ".join(f"'name_{n}'" for n in range(200))
HOSTILE = [
    "a" * 1_900,
    "not supported " + "a." * 900,
    "." * 1_900,
    "messages." * 200,
    f"schema not supported {MANY_NAMES}",
    f"unsupported {MANY_NAMES}",
    "user role not supported " * 70,
    "a and " * 300,
    "'loc': (" * 200,
    "{" * 1_900,
    "no longer supported " * 90,
    "takes no " * 200,
    "param" * 400,
    "maxOutputTokens " * 120,
    "Expected a value <= " * 90,
    "thinks not supported " * 80,
]


@pytest.mark.parametrize("words", HOSTILE)
def test_no_error_reply_takes_long_to_read(words: str) -> None:
    """However often it repeats itself, and however large the request is: such errors once took seconds to minutes."""
    schema = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(10)}}
    tools = [{"type": "function", "function": {"name": f"f{n}", "parameters": schema}} for n in range(1_000)]
    messages = Conversation({"role": ("user", "assistant")[n % 2], "content": "x"} for n in range(10_000))
    body = {"errors": [{"message": f"{words}{n}"} for n in range(60)]}
    started = time.thread_time()
    assert find_quirks(body, 400, messages, {**FIELDS, "tools": tools}) == []
    assert time.thread_time() - started < 0.5  # seconds of CPU time; on a quiet core it takes a twentieth of one


@pytest.mark.parametrize("status", [424, 500, 502])
@pytest.mark.parametrize(
    "words",
    [
        "The model kimi-k2-thinking is temporarily unavailable",
        "Vision backend temporarily unavailable",
        "Tools are unavailable",
        "structured output backend is currently unavailable",
        "Stop. Service unavailable",
    ],
)
def test_an_outage_is_no_refusal(status: int, words: str) -> None:
    """A server that is down takes the same request later. A code that says otherwise counts."""
    fields = {**FIELDS, "tools": [], "thinking": {}}
    assert find_quirks(openai(words), status, Conversation(MESSAGES), fields) == []
    coded = openai(f"seed: {words}", "seed", "unsupported_parameter")
    assert find_quirks(coded, status, Conversation(MESSAGES), fields) != []
    refused = find_quirks(openai("seed is not supported"), status, Conversation(MESSAGES), fields)
    assert refused == [Quirk(Action.DROP, "seed")]


@pytest.mark.parametrize("param", [None, "response_format"])
@pytest.mark.parametrize("words", ["Invalid grammar: regex lookahead is not supported"])
def test_one_refused_schema_does_not_end_schemas(words: str, param: str | None) -> None:
    """Other schemas are taken; a parameter that the server does not know is a refusal."""
    fields = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}}
    assert found(openai(words, param), fields) == []
    unknown = openai("got an unexpected keyword argument 'response_format'")
    assert found(unknown, fields) == [("format", "json_schema", "json_object")]


def test_a_bound_of_the_field_alone_is_remembered() -> None:
    """Not one that counts the tokens of the prompt."""
    words = openai("Input should be less than or equal to 4096", "max_tokens")
    assert found(words, {"max_tokens": 9_000}) == [("cap", "max_tokens", "4096")]


@pytest.mark.parametrize(
    "body",
    [
        openai("temperature: only supports 01"),
        openai("temperature: only supports \uff11"),
        openai(f"temperature: only supports {'9' * 5_000}", "temperature"),
        openai(f"temperature: only supports 1.{'9' * 5_000}", "temperature"),
        detail("messages", "\u00b2", "role", msg="bad"),
        detail("messages", "9" * 5_000, "role", msg="bad"),
        detail("messages", "role", msg="bad"),
    ],
)
def test_unusual_numbers_are_no_numbers(body: Any) -> None:
    """A number that JSON lacks, or of thousands of digits, is neither a value nor a position."""
    assert all(kind not in ("keep_value", "role") for kind, *_ in found(body))


def _documented() -> list[tuple[str, str]]:
    """Return what the documentation says that models say, and what the gateway does about it."""
    page = (Path(__file__).parents[4] / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = page.partition("## What models refuse")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [(words.strip("` "), does.strip()) for _, words, does in rows if "`" in words]


def test_the_documentation_is_true() -> None:
    """Each row of its table, with the words as a message and as a text."""
    rows = _documented()
    assert len(rows) > 20
    for words, does in rows:
        for body in (openai(words), words, {"detail": words}, {"error": words}):
            quirks = find_quirks(body, 400, Conversation(MESSAGES), FIELDS)
            assert does in [quirk.describe() for quirk in quirks], words
