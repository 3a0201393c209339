"""Recognising "the conversation is too long", in the words of providers and servers."""

import time

import pytest

from upstream.openai.too_long import is_too_long

TOO_LONG = [
    (400, "Your input exceeds the context window of this model."),
    (400, "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."),
    (400, "This endpoint's maximum context length is 131072 tokens. However, you requested about 200000 tokens."),
    (400, "Invalid 'messages[1].content': string too long. Expected a string with maximum length 10485760."),
    (400, "prompt is too long: 208310 tokens > 200000 maximum"),
    (400, "input length and `max_tokens` exceed context limit: 198000 + 8000 > 200000, decrease input length"),
    (413, "Request exceeds the maximum size of the request size"),
    (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
    (400, "Unable to submit request because the input token count is 40000 but model only supports up to 32768."),
    (413, "Request payload size exceeds the limit: 20971520 bytes."),
    (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
    (413, "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 7202, please reduce."),
    (429, "Request too large for gpt-x on tokens per min (TPM): Limit 30000, Requested 33000. Tokens must be reduced."),
    (400, "Please reduce the length of the messages or completion. Current length is 10000 while limit is 8192"),
    (400, "Input is too long for requested model."),
    (400, "Too many input tokens"),
    (400, "Malformed input request: prompt length: expected maxLength: 20000, actual: 30000"),
    (400, "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"),
    (400, "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000"),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 8000 `inputs` tokens"),
    (422, "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"),
    (400, "prompt token count of 12345 exceeds the limit of 8192"),
    (400, "invalid params, context window exceeds limit"),
    (400, "Invalid request: Your request exceeded model token limit: 8192"),
    (400, "Prompt exceeds max length"),
    (400, "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]"),
    (400, "The number of tokens to keep from the initial prompt is greater than the context length"),
    (400, "Trying to keep the first 6000 tokens when context the overflows. However, the model is loaded with 4096"),
    (400, "Reached context length of 4096 tokens, but this model does not support mid-generation context overflow"),
    (400, "the request exceeds the available context size, try increasing it"),
    (500, "input is too large to process. increase the physical batch size"),
    (400, "The decoder prompt (length 9000) is longer than the maximum model length of 8192."),
    (400, "The input (9000 tokens) is longer than the model's context length (8192 tokens)."),
    (400, "Requested token count exceeds the model's maximum context length of 8192 tokens."),
    (400, "Prompt length (9000) exceeds maximum input length (8192)"),
    (400, "the input length exceeds the context length"),
    (400, "prompt too long; exceeded max context length by 20 tokens"),
    (400, "Prompt tokens + maximum completion tokens exceed the context"),
    (400, "the max input characters is 11200"),
    (400, "litellm.ContextWindowExceededError: the conversation does not fit in the context window"),
    (400, "Sequence length 9000 exceeds 8192, please shorten it"),
    (400, "Conversation is too long. Start a new one."),
    (400, "n_ctx exceeded: 9000 > 4096"),
    (400, "输入长度超过模型的最大长度"),
    (400, "Prompt 超长"),
    (400, "You passed 9000 input tokens. However, the model's context length is only 8192 tokens."),
    (400, "Cannot truncate prompt with n_keep (6000) >= n_ctx (4096)"),
    (413, "Request body too large for the model. Max size: 8000 tokens."),
    (413, "Request exceeds the maximum allowed number of bytes."),
    (400, "Malformed input request: expected maxLength: 20000, actual: 30000, please reformat your input."),
    (400, "Total tokens of image and text exceed max message tokens"),
    (400, "Input length 9000 exceeds maximum allowed token size 4096"),
    (400, "Prompt has too many tokens (9000), the limit of the model is 8192"),
    (413, "Request Entity Too Large"),
    (400, "max_prompt_length exceeded: 128000"),
    (400, "Prompt has 9000 tokens, but the model only has a context of 8192"),
    (400, "prompt is 205000 tokens long, which is above the limit of 200000"),
]
SOMETHING_ELSE = [
    (429, "Rate limit reached for tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Try again in 3s."),
    (429, "Quota exceeded for metric online_prediction_input_tokens_per_minute_per_base_model"),
    (429, "Too many requests"),
    (500, "context deadline exceeded"),
    (500, "rpc error: the deadline was exceeded while waiting for the message"),
    (400, "max_tokens is too large: 100000. This model supports at most 16384 completion tokens."),
    (400, "Invalid value: max_tokens must be less than or equal to 8192, which is less than the context_window"),
    (400, "Model 'acme/eye' supports at most 1 image per prompt."),
    (400, "messages.0.content.1.image: image exceeds 5 MB maximum"),
    (400, "Too many tools: the maximum is 128 in a message"),
    (400, "'messages' must contain the word 'json' in some form"),
    (400, "body.temperature: Input should be greater than or equal to 0"),
    (422, "body.top_p: Input should be less than or equal to 1"),
    (400, "messages: roles must alternate between user and assistant"),
    (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
    (400, "This model does not support message content in array format or with content parts"),
    (400, "The model supports only text input"),
    (401, "prompt is too long"),
    (404, "The model `x` does not exist"),
    (500, "Internal server error"),
    (400, "stop: array too long, at most 4 sequences"),
    (400, "temperature must be at most 2"),
    (400, "a message has a role that is not known; the model only supports user and assistant"),
    (400, "Rate limit reached: too many tokens per minute"),
]


@pytest.mark.parametrize(("status", "words"), TOO_LONG)
def test_words_for_too_long_are_recognised(status: int, words: str) -> None:
    """By their idea, in the words of hosted providers, gateways and local servers."""
    assert is_too_long(words, [], status)


@pytest.mark.parametrize(("status", "words"), SOMETHING_ELSE)
def test_words_for_something_else_are_not(status: int, words: str) -> None:
    """Rate limits, output limits, images, tools, timeouts and wrong values."""
    assert not is_too_long(words, [], status)


@pytest.mark.parametrize(
    "code",
    [
        "context_length_exceeded",
        "exceed_context_size_error",
        "context_window_exceeded",
        "model_max_prompt_tokens_exceeded",
        "prompt_too_long",
        "request_too_large",
        "tokens_limit_reached",
    ],
)
def test_codes_for_too_long_are_recognised(code: str) -> None:
    """Whatever the words are."""
    assert is_too_long("x", [400, code], 400)


@pytest.mark.parametrize("piece", ["max_tokens ", "a ", "`' ", "maximum tokens ", "超", "context ", "is 1"])
def test_the_work_is_bounded(piece: str) -> None:
    """For words that repeat the beginnings of the expressions."""
    began = time.process_time()
    is_too_long(piece * 100_000, [], 400)
    assert time.process_time() - began < 1.0
