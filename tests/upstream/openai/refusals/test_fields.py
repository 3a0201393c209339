"""Fields that a refusal names, by structure or in words."""

import json
from typing import Any

import pytest

from tests.upstream.openai.refusals.cases import (
    DESERIALIZE,
    FIELDS,
    MESSAGES,
    TEMPERATURE,
    UNSUPPORTED,
    detail,
    found,
    openai,
)
from upstream.openai.conversation import Conversation
from upstream.openai.quirks import fit
from upstream.openai.refusals import find_quirks

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


POINTERS: list[tuple[str, Any]] = [
    ("Google", {"error": {"details": [{"fieldViolations": [{"field": "seed", "description": "Not supported"}]}]}}),
    ("RFC 7807", {"title": "Invalid", "invalid-params": [{"name": "seed", "reason": "is not supported"}]}),
    ("RFC 9457", {"title": "Bad request", "errors": [{"detail": "unknown field", "pointer": "#/seed"}]}),
    ("JSON:API", {"errors": [{"source": {"pointer": "/data/seed"}, "detail": "unknown attribute"}]}),
    ("Ajv", {"errors": [{"params": {"additionalProperty": "seed"}, "message": "must NOT have additional properties"}]}),
    ("JSON path", openai("Unknown property", "$.seed")),
    ("marshmallow", {"errors": {"json": {"seed": ["Unknown field."]}}}),
    ("Laravel", {"message": "Invalid data.", "errors": {"seed": ["The seed field is prohibited."]}}),
    ("a list of names", {"error": "bad request", "unsupported_parameters": ["seed"]}),
    (
        "zod",
        {"error": {"issues": [{"keys": ["seed"], "path": [], "message": "Unrecognized key(s) in object: 'seed'"}]}},
    ),
]


@pytest.mark.parametrize("body", [body for _, body in POINTERS], ids=[name for name, _ in POINTERS])
def test_a_refused_field_is_found_in_the_structure_of_any_framework(body: Any) -> None:
    """Beside the words, in an object or a list of its own, or as the key of the words; alone, and quoted by a relay."""
    assert found(body) == [("drop", "seed")]
    assert found({"error": {"message": f"upstream said: {json.dumps(body)}"}}) == [("drop", "seed")]


@pytest.mark.parametrize(
    "words",
    [
        "The 'seed' parameter has been removed for this model.",
        "The seed field is no longer supported.",
        "disallowed parameter: seed",
        "parameter seed is forbidden for this model",
        "seed is not applicable to this model",
        "seed is not a recognized parameter",
        "parameter 'seed' does not exist",
        "no such parameter: seed",
        "Illegal field: seed",
        "this model takes no seed parameter",
        "seed should not be set for reasoning models",
        "Cannot set seed for this model",
        'Message type "acme.ChatRequest" has no field named "seed" at "ChatRequest".',
        "The JSON property 'seed' could not be mapped to any .NET member contained in type 'ChatRequest'.",
        'Field "seed" is not defined by type "ChatInput".',
        'Unrecognized field "seed" (class R), not marked as ignorable (2 known properties: "model", "temperature")',
        "Malformed input request: #: extraneous key [seed] is not permitted, please reformat your input and try again.",
        "We do not currently support the parameter: seed",
        "this model doesn't yet support `seed`",
        "`seed` isn't accepted by this model",
        "this endpoint has no support for `seed`",
        "seed: Extra inputs are not permitted",
        "Bad request. Please remove the 'seed' parameter.",
        "不支持的参数: seed",
        "参数seed不支持",
    ],
)
def test_a_refused_field_is_found_in_words_of_every_kind(words: str) -> None:
    """Whatever verb a server refuses it with, and whatever fields it names that it does take."""
    assert found(openai(words)) == [("drop", "seed")]
    assert found({"detail": words}) == [("drop", "seed")]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("Penalty is not enabled for models/m", ["frequency_penalty", "presence_penalty"]),
        ("Logprobs is not enabled for models/m", ["logprobs"]),
        ("This model doesn't support the stopSequences field. Remove stopSequences and try again.", ["stop"]),
        ('"gemma3" does not support thinking', ["reasoning_effort"]),
        ('think value "minimal" is not supported for this model', ["reasoning_effort"]),
        ("Stop sequences are not supported when thinking is enabled", ["stop"]),
        ("Too many stop sequences: at most 4", []),
        ("Tool results are not supported when thinking is enabled", []),
    ],
)
def test_a_refused_field_is_found_by_its_purpose(words: str, names: list[str]) -> None:
    """Services with an API of their own do not know OpenAI's names; a condition is not what is refused."""
    assert found(openai(words)) == [("drop", name) for name in names]


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (openai("Range of max_tokens should be [1, 64]"), "64"),
        (openai("The maximum tokens you requested exceeds the model limit of 64. Try again with less."), "64"),
        (
            openai("a maxOutputTokens value of 100 but the supported range is from 1 (inclusive) to 65 (exclusive)"),
            "64",
        ),
        (detail("max_tokens", kind="less_than_equal", msg="Input should be less than or equal to 64"), "64"),
        (openai("integer above maximum value. Expected a value <= 64, but got 100 instead.", "max_tokens"), "64"),
        (openai("must be at most 64: the context of the model holds 4096 tokens", "max_tokens"), ""),
        (openai("Expected a value <= 0", "max_tokens"), ""),
        (openai("Expected a value >= 200, but got 100 instead.", "max_tokens"), ""),
        (openai("Expected a value <= 64", "seed"), ""),
    ],
)
def test_a_limit_of_the_answer_is_found(body: Any, limit: str) -> None:
    """The model's, in words or at the path of the field; not one that depends on the conversation."""
    assert found(body) == ([("cap", "max_tokens", limit)] if limit else [])


@pytest.mark.parametrize(
    ("fields", "words", "expected"),
    [
        ({"reasoning_effort": "minimal"}, "`reasoning_effort` must be one of `none` or `default`", True),
        ({"reasoning_effort": "minimal"}, "Invalid value: 'minimal'. Supported values are: 'low' and 'high'.", True),
        ({"verbosity": "low"}, "Invalid value: 'low'. Supported values are: 'medium' and 'high'.", True),
        ({"reasoning_effort": "much"}, "Invalid value: 'much'. Supported values are: 'low' and 'high'.", False),
        ({"reasoning_effort": "low"}, "Invalid value: 'x'. Supported values are: 'medium' and 'high'.", False),
        ({"reasoning_effort": "low"}, "Invalid value: 'low'. Supported values are: 'low' and 'high'.", False),
    ],
)
def test_a_value_of_an_enumeration_that_a_model_lacks_is_left_out(fields: Any, words: str, *, expected: bool) -> None:
    """If it is one of OpenAI's, which other models take; any other value is the client's to put right."""
    (name, value), *_ = fields.items()
    assert found(openai(words, name, "invalid_value"), fields) == (
        [("drop_value", name, json.dumps(value))] if expected else []
    )


@pytest.mark.parametrize(
    ("body", "expected"), [case[1:] for case in FIELD_REFUSALS], ids=[case[0] for case in FIELD_REFUSALS]
)
def test_a_refused_field_is_found(body: Any, expected: list[tuple[str, ...]]) -> None:
    """By structure or by words, inside whatever a relay wraps around it."""
    assert found(body) == expected


def test_a_field_that_is_refused_is_gone_when_it_is_asked_again() -> None:
    """So asking again is never asking the same."""
    messages = Conversation(MESSAGES)
    for _, body, _ in FIELD_REFUSALS:
        assert fit(find_quirks(body, 400, messages, FIELDS), messages, FIELDS) != (messages, FIELDS)
