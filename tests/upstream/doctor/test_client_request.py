"""The request that imitates a coding tool, as a whole and in parts."""

from tests.running import model
from upstream.doctor.client_request import STREAM, SYSTEM, TEMPERATURE, TOOL, build_request, join_labels, list_features

ABLE = model("a", "http://h/v1", capabilities=frozenset({"tools"}))
PLAIN = model("a", "http://h/v1", capabilities=frozenset())


def test_a_request_has_all_that_coding_tools_send() -> None:
    """All that coding tools send: temperature 0, a limit, a system message, a tool, a stream."""
    request = build_request(list_features(ABLE), {"max_tokens": 16})
    assert [message["role"] for message in request.messages] == ["system", "user"]
    assert (request.params["temperature"], request.params["max_tokens"], request.streams) == (0, 16, True)
    assert request.params["tools"][0]["function"]["name"] == "read_file"


def test_each_feature_can_be_sent_alone() -> None:
    """Each alone, so that a refusal can be pinned down."""
    assert build_request([TEMPERATURE], {}).params == {"temperature": 0}
    assert len(build_request([SYSTEM], {}).messages) == 2
    assert build_request([STREAM], {}).streams
    assert not build_request([TOOL], {}).streams


def test_a_model_without_tools_gets_none() -> None:
    """By its capabilities."""
    assert list_features(PLAIN) == (TEMPERATURE, SYSTEM, STREAM)


def test_features_are_joined_to_a_phrase() -> None:
    """For a warning."""
    assert join_labels([TOOL]) == "a tool"
    assert join_labels([TEMPERATURE, SYSTEM, STREAM]) == "temperature 0, a system message and a stream"
