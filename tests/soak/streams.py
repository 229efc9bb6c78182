"""Reads a JetStream stream from its beginning, message by message: no consumer that could miss one."""

import base64
import json
from collections.abc import AsyncIterator

import msgspec
from nats.aio.client import Client

_ANSWER_SECONDS = 5.0
_NO_MESSAGE = 404


class Message(msgspec.Struct, frozen=True):
    sequence: int
    subject: str
    headers: str
    """As they were sent, in one text."""
    body: bytes


async def read_from(bus: Client, stream: str, sequence: int = 1) -> AsyncIterator[Message]:
    """Ends after the last message. Raises what nats-py raises while the server is away."""
    while True:
        question = json.dumps({"seq": sequence, "next_by_subj": ">"}).encode()
        reply = await bus.request(f"$JS.API.STREAM.MSG.GET.{stream}", question, timeout=_ANSWER_SECONDS)
        answer = json.loads(reply.data)
        if error := answer.get("error"):
            if error["code"] == _NO_MESSAGE:
                return
            raise TimeoutError(f"{stream}: {error}")
        found = answer["message"]
        yield Message(
            found["seq"],
            found["subject"],
            base64.b64decode(found.get("hdrs", "")).decode(),
            base64.b64decode(found.get("data", "")),
        )
        sequence = found["seq"] + 1
