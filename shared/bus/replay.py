"""Reads the messages of one subject from a stream, a page at a time. A page is one request; no consumer."""

from collections.abc import AsyncGenerator

import msgspec
import nats.errors

from shared.bus.connection import Bus
from shared.contract.errors import Transient

_ANSWER_SECONDS = 5.0


class Stored(msgspec.Struct, frozen=True):
    sequence: int
    body: bytes
    headers: dict[str, str]
    """The sender's, and JetStream's own: `Nats-Subject`, `Nats-Time-Stamp`, ..."""


async def replay(
    bus: Bus, stream: str, subject: str, *, first_sequence: int = 1, page: int = 256
) -> AsyncGenerator[list[Stored], None]:
    """Yields pages of at most `page` messages, in the stream's order. Raises Transient.

    Yields nothing where the stream has no message of the subject.
    """
    while True:
        stored, more = await read_page(bus, stream, subject, first_sequence=first_sequence, limit=page)
        if stored:
            yield stored
        if not more:
            return
        first_sequence = stored[-1].sequence + 1


async def read_page(
    bus: Bus, stream: str, subject: str, *, first_sequence: int, limit: int, most_bytes: int = 0
) -> tuple[list[Stored], bool]:
    """Returns at most `limit` messages, and True where there are more. Raises Transient.

    A page ends also when it has `most_bytes` (0: no such limit), but it has at least one message.
    """
    connection = bus.connection
    inbox = connection.new_inbox()
    stored: list[Stored] = []
    try:
        subscription = await connection.subscribe(inbox)
        try:
            wanted = {"batch": limit, "seq": first_sequence, "next_by_subj": subject, "max_bytes": most_bytes}
            await connection.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(wanted), reply=inbox)
            while True:
                message = await subscription.next_msg(_ANSWER_SECONDS)
                headers = message.headers or {}
                if "Nats-Sequence" not in headers:  # 204: the end of the page; 404: there is nothing.
                    if headers.get("Status") not in ("204", "404"):
                        raise Transient(f"NATS does not give what {stream} holds now")
                    return stored, bool(stored) and headers.get("Nats-Num-Pending", "0") != "0"
                stored.append(Stored(int(headers["Nats-Sequence"]), message.data, headers))
        finally:
            await subscription.unsubscribe()
    except (nats.errors.Error, TimeoutError) as error:
        raise Transient(f"NATS does not give what {stream} holds now") from error
