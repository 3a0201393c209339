"""A reply that is one line of JSON."""

from handlers.json_reply import respond_json


def test_a_reply_is_one_line() -> None:
    """With its type, status and headers; the line end keeps a shell's prompt apart."""
    reply = respond_json({"é": [1]}, status=404, headers={"x-a": "b"})
    assert (reply.status, reply.headers["x-a"], reply.content_type) == (404, "b", "application/json")
    assert reply.body == '{"é":[1]}\n'.encode()
