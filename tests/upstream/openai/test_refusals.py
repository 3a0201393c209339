"""What a refusal says that a request must not have, in the words of many providers."""

import json
from pathlib import Path
from typing import Any

import pytest

from upstream.openai.conversation import Conversation
from upstream.openai.quirks import Action, Quirk, fit
from upstream.openai.refusals import find_quirks

CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Rome"}', "strict": True},
}
MESSAGES: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
    {"role": "user", "name": "ann", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]},
    {"role": "user", "content": "Well?"},
]
FIELDS: dict[str, Any] = {
    "model": "m",
    "temperature": 0,
    "top_p": 0.9,
    "max_tokens": 100,
    "seed": 7,
    "user": "u",
    "stop": ["x"],
    "logprobs": True,
    "logit_bias": {"1": 2},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "reasoning_effort": "minimal",
    "parallel_tool_calls": True,
    "metadata": {"a": "b"},
    "store": True,
    "response_format": {"type": "json_object"},
    "stream": True,
    "stream_options": {"include_usage": True},
    "web_options": {},
}


def openai(message: str, param: str | None = None, code: str | None = None) -> Any:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def detail(*loc: Any, kind: str = "extra_forbidden", msg: str = "Extra inputs are not permitted", **more: Any) -> Any:
    return {"detail": [{"type": kind, "loc": ["body", *loc], "msg": msg, "input": 1, **more}]}


def found(body: Any, fields: Any = None, messages: Any = None, **more: Any) -> list[tuple[str, ...]]:
    """Return what is found, each as the words of its action, name and value."""
    asked = FIELDS if fields is None else fields
    quirks = find_quirks(body, 400, Conversation(MESSAGES if messages is None else messages), asked, **more)
    return [tuple(filter(None, (quirk.action.value, quirk.name, quirk.value))) for quirk in quirks]


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


UNSUPPORTED = "Unsupported parameter: '{}' is not supported with this model."
TEMPERATURE = (
    "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."
)
DESERIALIZE = "Failed to deserialize the JSON body into the target type: "

FIELD_REFUSALS: list[tuple[str, Any, list[tuple[str, ...]]]] = [
    # OpenAI and Azure
    ("OpenAI", openai(UNSUPPORTED.format("seed"), "seed", "unsupported_parameter"), [("drop", "seed")]),
    ("OpenAI without param", openai(UNSUPPORTED.format("user")), [("drop", "user")]),
    ("OpenAI unknown", openai("Unknown parameter: 'store'.", "store", "unknown_parameter"), [("drop", "store")]),
    ("OpenAI of old", openai("Unrecognized request argument supplied: web_options"), [("drop", "web_options")]),
    (
        "OpenAI max_tokens",
        openai(
            UNSUPPORTED.format("max_tokens") + " Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        ),
        [("rename", "max_tokens", "max_completion_tokens")],
    ),
    (
        "OpenAI temperature",
        openai(TEMPERATURE, "temperature", "unsupported_value"),
        [("keep_value", "temperature", "1")],
    ),
    (
        "OpenAI reasoning_effort",
        openai(
            "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. Supported values are: "
            "'low', 'medium', and 'high'.",
            "reasoning_effort",
            "unsupported_value",
        ),
        [("drop_value", "reasoning_effort", '"minimal"')],
    ),
    ("OpenAI logprobs", openai("logprobs are not supported with this model."), [("drop", "logprobs")]),
    # Anthropic's compatible endpoint, and Claude behind relays
    (
        "Anthropic temperature and top_p",
        openai("`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        [("drop_beside", "top_p", "temperature")],
    ),
    (
        "Anthropic thinking",
        openai("`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation."),
        [("keep_value", "temperature", "1")],
    ),
    ("Anthropic deprecated", openai("`temperature` is deprecated for this model."), [("drop", "temperature")]),
    ("Anthropic extra", openai("web_options: Extra inputs are not permitted"), [("drop", "web_options")]),
    ("Anthropic nested", openai("messages.4.name: Extra inputs are not permitted"), [("drop_in_messages", "name")]),
    # Mistral, vLLM, TGI and all that is made with FastAPI
    ("FastAPI", detail("seed"), [("drop", "seed")]),
    ("Mistral", {"object": "error", "message": detail("parallel_tool_calls")}, [("drop", "parallel_tool_calls")]),
    ("FastAPI nested", detail("stream_options", "include_usage"), [("drop", "stream_options")]),
    (
        "FastAPI in messages",
        detail("messages", 2, "assistant", "reasoning_content"),
        [("drop_in_messages", "reasoning_content")],
    ),
    ("pydantic 1", detail("user", kind="value_error.extra", msg="extra fields not permitted"), [("drop", "user")]),
    (
        "several at once",
        {"detail": [*detail("seed")["detail"], *detail("user")["detail"]]},
        [("drop", "seed"), ("drop", "user")],
    ),
    (
        "vLLM",
        openai("[{'type': 'extra_forbidden', 'loc': ('body', 'store'), 'msg': 'Extra inputs are not permitted'}]"),
        [("drop", "store")],
    ),
    ("TGI", {"error": "logit_bias is not supported", "error_type": "validation"}, [("drop", "logit_bias")]),
    # Gemini
    (
        "Gemini",
        [
            {
                "error": {
                    "code": 400,
                    "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        [("drop", "seed")],
    ),
    (
        "Gemini in messages",
        {"error": {"message": "Invalid JSON. Unknown name \"reasoning_content\" at 'messages[2]': Cannot find field."}},
        [("drop_in_messages", "reasoning_content")],
    ),
    (
        "Gemini violations",
        {
            "error": {
                "message": "Request contains an invalid argument.",
                "details": [
                    {
                        "fieldViolations": [
                            {"description": 'Invalid JSON. Unknown name "logit_bias": Cannot find field.'}
                        ]
                    }
                ],
            }
        },
        [("drop", "logit_bias")],
    ),
    # Groq, DeepSeek, xAI, Together, Fireworks, Cerebras, Cohere
    ("Groq", openai("property 'logit_bias' is unsupported"), [("drop", "logit_bias")]),
    (
        "Groq in messages",
        openai(
            "'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property "
            "'reasoning_content' is unsupported)]"
        ),
        [("drop_in_messages", "reasoning_content")],
    ),
    ("DeepSeek", openai(DESERIALIZE + "unknown field `web_options` at line 1 column 20"), [("drop", "web_options")]),
    (
        "xAI",
        {
            "code": "Client specified an invalid argument",
            "error": "Argument not supported on this model: presencePenalty",
        },
        [("drop", "presence_penalty")],
    ),
    ("xAI stop", {"code": "x", "error": "Argument not supported on this model: stop"}, [("drop", "stop")]),
    (
        "Cloudflare",
        {"errors": [{"message": "frequency_penalty is not allowed", "code": 8001}], "success": False},
        [("drop", "frequency_penalty")],
    ),
    (
        "Nest",
        {"error": "Bad Request", "message": "frequency_penalty is not allowed", "statusCode": 400},
        [("drop", "frequency_penalty")],
    ),
    ("text", "frequency_penalty is not allowed", [("drop", "frequency_penalty")]),
    (
        "JSON schema",
        openai("Additional properties are not allowed ('metadata' was unexpected)"),
        [("drop", "metadata")],
    ),
    # Local servers
    ("llama.cpp", openai("Unsupported param: logit_bias"), [("drop", "logit_bias")]),
    ("Ollama", {"error": 'json: unknown field "store"'}, [("drop", "store")]),
    ("LM Studio", {"error": "Unrecognized key(s) in object: 'metadata'"}, [("drop", "metadata")]),
    # Relays
    (
        "litellm",
        openai(
            "litellm.UnsupportedParamsError: groq does not support parameters: ['user', 'logit_bias'], for model=m. To "
            "drop these, set `litellm.drop_params=True`"
        ),
        [("drop", "user"), ("drop", "logit_bias")],
    ),
    (
        "litellm, quoting",
        openai(
            "litellm.BadRequestError: OpenAIException - "
            + json.dumps(openai(UNSUPPORTED.format("seed"), "seed", "unsupported_parameter"))
        ),
        [("drop", "seed")],
    ),
    (
        "OpenRouter",
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": json.dumps(openai(UNSUPPORTED.format("seed"), "seed")), "provider_name": "Acme"},
            }
        },
        [("drop", "seed")],
    ),
    ("Kimi", openai("invalid temperature: only 1 is allowed for this model"), [("keep_value", "temperature", "1")]),
    ("Cohere", {"message": "unknown field: parameter 'logit_bias' is not a valid field"}, [("drop", "logit_bias")]),
    (
        "only beside",
        openai("The 'metadata' parameter is only allowed when 'store' is enabled.", "metadata"),
        [("drop", "metadata")],
    ),
    (
        "Cerebras",
        openai("body.messages.2.assistant.reasoning_content: property is unsupported", "validation_error"),
        [("drop_in_messages", "reasoning_content")],
    ),
    ("camel case", openai("Unknown parameter: frequencyPenalty"), [("drop", "frequency_penalty")]),
    # Streams
    ("stream_options", openai("stream_options is not supported"), [("drop", "stream_options")]),
    (
        "streams",
        openai("Unsupported value: 'stream' does not support true with this model.", "stream", "unsupported_value"),
        [("drop_value", "stream", "true")],
    ),
    ("streams in words", openai("This model does not support streaming."), [("drop", "stream")]),
    # Limits of a model's answer
    (
        "OpenAI limit",
        openai(
            "max_tokens is too large: 100. This model supports at most 50 completion tokens, whereas you provided 100.",
            "max_tokens",
        ),
        [("cap", "max_tokens", "50")],
    ),
    (
        "Anthropic limit",
        openai("max_tokens: 100 > 64, which is the maximum allowed number of output tokens for m"),
        [("cap", "max_tokens", "64")],
    ),
    (
        "DeepSeek limit",
        openai("Invalid max_tokens value, the valid range of max_tokens is [1, 64]"),
        [("cap", "max_tokens", "64")],
    ),
    (
        "Groq limit",
        openai("`max_tokens` must be less than or equal to `64`, the maximum value for it is less"),
        [("cap", "max_tokens", "64")],
    ),
]


@pytest.mark.parametrize(
    ("body", "expected"), [case[1:] for case in FIELD_REFUSALS], ids=[case[0] for case in FIELD_REFUSALS]
)
def test_a_refused_field_is_found(body: Any, expected: list[tuple[str, ...]]) -> None:
    """By structure or by words, inside whatever a relay wraps around it."""
    assert found(body) == expected


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
        [("tools_in_words",)],
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
        [("tools_in_words",)],
    ),
    (
        "Bedrock tools",
        openai("The toolConfig field must be defined when using toolUse and toolResult content blocks."),
        [("tools_in_words",)],
    ),
    (
        "Anthropic tools",
        openai("Requests which include `tool_use` or `tool_result` blocks must define tools."),
        [("tools_in_words",)],
    ),
    (
        "unknown tool role",
        openai(DESERIALIZE + "messages[3].role: unknown variant `tool`, expected one of `system`, `user`"),
        [("tools_in_words",)],
    ),
    ("Mistral turns", openai("Unexpected role 'user' after role 'tool'"), [("tools_in_words",), ("alternate",)]),
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
        [("say_json",)],
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
        ({"n": 2}, openai("litellm.UnsupportedParamsError: m does not support parameters: {'n': 2}"), [("drop", "n")]),
    ],
)
def test_tools_and_forms_become_what_is_taken(fields: Any, body: Any, expected: list[tuple[str, ...]]) -> None:
    """The nearest thing that the model does take."""
    assert found(body, fields) == expected


NOT_REFUSALS = [
    openai(
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 5 instead.",
        "temperature",
        "decimal_above_max_value",
    ),
    openai("temperature must be between 0 and 1"),
    openai("`temperature`: Input should be less than or equal to 1"),
    detail("temperature", kind="less_than_equal", msg="Input should be less than or equal to 2"),
    detail("seed", kind="int_parsing", msg="Input should be a valid integer"),
    openai("seed is out of range"),
    openai(
        "Invalid value: 'foo'. Supported values are: 'low', 'medium', and 'high'.", "reasoning_effort", "invalid_value"
    ),
    openai("The `reasoning_content` in the thinking mode must be passed back to the API."),
    openai("Missing required parameter: 'messages[0].content'.", "messages[0].content", "missing_required_parameter"),
    detail("top_k", kind="missing", msg="Field required"),
    openai("Too many stop sequences: at most 4", "stop"),
    openai(
        "Invalid schema for response_format 'n': 'additionalProperties' is required to be supplied and to be false.",
        "response_format",
    ),
    openai("The model `m` does not exist or you do not have access to it.", None, "model_not_found"),
    openai("m is not a valid model ID"),
    openai("This model's maximum context length is 8192 tokens.", "messages", "context_length_exceeded"),
    openai("API key not valid. Please pass a valid API key."),
    openai("Your account is not allowed to use this model"),
    openai("Unsupported parameter: 'other' is not supported with this model.", "other", "unsupported_parameter"),
    openai("Invalid image: the image is too large"),
    openai("At most 1 image(s) may be provided in one prompt."),
    openai("Failed to download the image: access to the URL is not allowed"),
    openai("Unsupported image type: image/webp"),
    openai("The image format is not supported, only png and jpeg"),
    openai("This model does not support a temperature above 1"),
    openai("temperature 5 is not supported (0 - 2)"),
    openai("Your prompt contains text that is not allowed by our safety system."),
    openai("This is not a chat model and thus not supported in the v1/chat/completions endpoint.", "model"),
    openai("You are not allowed to sample from this model"),
    openai("Unsupported parameter: 'messages[3].tool_call_id'", "messages[3].tool_call_id", "unsupported_parameter"),
    openai("Bad request"),
    {"error": {"message": "no seed"}},
    {},
    [],
    "",
    None,
    7,
    {"error": {"message": {"a": [[[[[[["deep"]]]]]]]}}},
]


@pytest.mark.parametrize("body", NOT_REFUSALS)
def test_other_errors_teach_nothing(body: Any) -> None:
    """A value out of range is the client's fault, a missing part does not come of leaving more out."""
    assert found(body) == []


@pytest.mark.parametrize("status", [None, 401, 403, 408, 413, 429, 503])
def test_only_refusals_are_read(status: int | None) -> None:
    """Other statuses say something else, whatever their words."""
    body = openai(UNSUPPORTED.format("seed"), "seed", "unsupported_parameter")
    assert find_quirks(body, status, MESSAGES, FIELDS) == []


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
    for _, body, _ in (*FIELD_REFUSALS, *MESSAGE_REFUSALS):
        quirks = find_quirks(body, 400, messages, FIELDS)
        assert fit(quirks, messages, FIELDS) != (messages, FIELDS)


def _documented() -> list[tuple[str, str]]:
    """Return what the documentation says that models say, and what the gateway does about it."""
    page = (Path(__file__).parents[3] / "docs" / "reliability.md").read_text(encoding="utf-8")
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
