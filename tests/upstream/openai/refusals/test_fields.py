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
