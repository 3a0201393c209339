"""Words that refuse, beside words that only sound like it."""

from typing import Any

import pytest

from tests.upstream.openai.refusals.cases import FIELDS, UNSUPPORTED, detail, found, openai
from upstream.openai.refusals.words import ADVICE, BAD_SCHEMA, LACKS, REFUSES, VALUE

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
    openai("max_tokens 不允许超过 8192"),
    openai("max_tokens 参数不支持大于 8192 的值"),
    openai("temperature 不允许大于 1"),
    openai("top_p 取值不支持 0，取值范围 (0,1]"),
    openai("Illegal argument: temperature=-1"),
    openai("Illegal parameter value for 'top_p'"),
    openai("Cannot set temperature to a negative value"),
    openai("You cannot specify more than 4 stop sequences"),
    openai("You cannot use more than 128 tools"),
    openai("stop must not be set to an empty string"),
    openai("You cannot set seed to null"),
    openai("messages: role 'developer' may not be used twice"),
    openai("Model DeepSeek-V3-Thinking is not available in your region"),
    openai("不支持的模型: glm-thinking"),
    openai("Input should be not greater than 1096, because 3000 tokens are used already", "max_tokens"),
    openai("inputs tokens + max_new_tokens must be <= 4096", "max_tokens"),
    {"error": {"message": "Prompt is not allowed", "metadata": ["not allowed"]}},
    openai("temperature 3 is not allowed, use a value between 0 and 2"),
    openai("You do not have permission to use tools in this workspace"),
    openai("The key does not have access to store"),
    openai("You do not have enough credits for logprobs"),
    openai("tools[0].function.name is not allowed by policy"),
    openai("Bad request"),
    openai("'NoneType' object has no attribute 'seed'"),
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
    """A value out of range is the client's fault, and a missing part is not fixed by leaving out more."""
    assert found(body, {**FIELDS, "max_tokens": 9_000, "tools": [], "thinking": {}}) == []


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("temperature 不支持", "temperature"),
        ("参数 seed 不允许", "seed"),
        ("Illegal argument: seed", "seed"),
        ("user: Extra inputs are not permitted", "user"),
        ("You cannot set seed for this model", "seed"),
        ("seed is not supported: set it to null", "seed"),
    ],
)
def test_a_field_is_refused_without_words_about_its_value(words: str, name: str) -> None:
    """In words near to those about a value."""
    assert found(openai(words)) == [("drop", name)]


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (UNSUPPORTED.format("seed"), {"refuses"}),
        ("Unrecognized request argument supplied: seed", {"refuses"}),
        ("temperature must be at most 2", {"value", "advice"}),
        ("temperature 5 is not supported (0 - 2)", {"refuses", "value"}),
        ("Missing required parameter: 'messages'.", {"lacks"}),
        ("Invalid schema: 'additionalProperties' is required", {"lacks", "schema"}),
        ("'max_tokens' is not supported. Use 'max_completion_tokens' instead.", {"refuses", "advice"}),
        ("Bad request", set()),
    ],
)
def test_words_of_refusal_value_and_absence_are_distinguished(words: str, kinds: set[str]) -> None:
    """Words of refusal count only without words about the value or about something missing."""
    patterns = {"refuses": REFUSES, "value": VALUE, "lacks": LACKS, "schema": BAD_SCHEMA, "advice": ADVICE}
    assert {kind for kind, pattern in patterns.items() if pattern.search(words)} == kinds
