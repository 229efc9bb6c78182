"""Stores one message in its stream, or deletes one, and reads JetStream's answer.

nats-py's own `publish` of a JetStream context reads the acknowledgement by `json` into a dataclass, which
costs a third of the whole call.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js.errors import APIError, NoStreamResponseError


class _Answer(msgspec.Struct):
    seq: int = 0
    error: dict[str, Any] | None = None


_answer = msgspec.json.Decoder(_Answer)


async def store_once(
    connection: Client, subject: str, body: bytes, headers: Mapping[str, str], timeout: float
) -> int:
    """Returns the sequence of the message. Raises the errors of nats-py, APIError among them."""
    try:
        message = await connection.request(subject, body, timeout=timeout, headers=dict(headers))
    except NoRespondersError as error:
        raise NoStreamResponseError from error
    return _read(message.data).seq


async def delete_message(connection: Client, stream: str, sequence: int, timeout: float) -> None:
    """Its bytes stay in the file of the stream until the server drops or compacts that. Raises as above."""
    body = msgspec.json.encode({"seq": sequence, "no_erase": True})
    _read((await connection.request(f"$JS.API.STREAM.MSG.DELETE.{stream}", body, timeout=timeout)).data)


def _read(body: bytes) -> _Answer:
    answer = _answer.decode(body)
    if answer.error is not None:
        raise APIError.from_error(answer.error)
    return answer
