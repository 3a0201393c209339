"""Messages that become JSON once, however many models read them."""

import json
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from runtime import json_codec
from upstream.openai.conversation import Conversation, Message

_MESSAGES = st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": st.text()}), max_size=6)


def _read(conversation: Conversation) -> object:
    return json.loads(b"[%b]" % conversation.items_json())


@given(_MESSAGES, _MESSAGES, st.none() | st.integers(0, 8))
def test_it_is_the_array_of_its_messages(messages: list[Message], more: list[Message], keep: int | None) -> None:
    """Also after it was extended, in whatever order it was asked for its bytes."""
    conversation = Conversation(messages)
    early = conversation.continue_with(*more, keep=keep)
    assert _read(conversation) == messages
    late = conversation.continue_with(*more, keep=keep)
    assert _read(early) == _read(late) == early == late == [*messages[:keep], *more]
    assert _read(conversation) == messages


def test_no_message_is_encoded_twice() -> None:
    """Not for a second model, nor for the critic, whose conversation has the panel's at its beginning."""
    conversation = Conversation([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    with patch("upstream.openai.conversation.encode", side_effect=json_codec.encode) as encode:
        for _ in range(3):
            conversation.items_json()
        conversation.continue_with({"role": "user", "content": "two, and candidates"}, keep=1).items_json()
    assert encode.call_count == 3
