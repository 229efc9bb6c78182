"""What an Idempotency-Key may be, and when two bodies are the same."""

import msgspec
import pytest

from services.gateway.turns.idempotency import (
    Promise,
    check_same_body,
    checked_key,
    hash_of_body,
    hash_of_key,
)
from services.gateway.turns.views import NewTurn
from shared.contract.errors import Refused


def read(body: str) -> NewTurn:
    return msgspec.json.decode(body, type=NewTurn)


@pytest.mark.parametrize("key", ["a", "x" * 255, '"quoted"', "8e03978e-40d5-43dd-bc93-6894a57f9324", "!~"])
def test_visible_ascii_is_a_key(key: str) -> None:
    assert checked_key(key) == key


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ü", "a\tb", "a\n"])
def test_anything_else_is_refused_by_the_name_of_the_header(key: str) -> None:
    with pytest.raises(Refused, match="Idempotency-Key") as refused:
        checked_key(key)

    assert (refused.value.status, refused.value.field) == (400, "Idempotency-Key")


def test_bodies_that_say_the_same_are_the_same() -> None:
    one = read('{"input": "hi", "session_id": "s", "metadata": {"a": "1", "b": "2"}}')
    other = read('{"metadata":{"b":"2","a":"1"},"session_id":"s","input":"hi","recipe":""}')

    assert hash_of_body(one) == hash_of_body(other)


@pytest.mark.parametrize(
    "body",
    [
        '{"input": "hi "}',
        '{"input": "hi", "session_id": "s"}',
        '{"input": "hi", "if_busy": "reject"}',
        '{"input": "hi", "metadata": {"a": "1"}}',
    ],
)
def test_another_body_under_the_same_key_is_refused_with_what_to_do(body: str) -> None:
    promise = Promise(turn_id="t", session_id="s", body_hash=hash_of_body(read('{"input": "hi"}')))

    with pytest.raises(Refused, match=r"Idempotency-Key.* use a new key for another turn") as refused:
        check_same_body(promise, read(body))

    assert refused.value.status == 409


def test_a_key_is_stored_as_its_hash() -> None:
    assert len(hash_of_key("x" * 255)) == 64
    assert hash_of_key("a") != hash_of_key("b")
