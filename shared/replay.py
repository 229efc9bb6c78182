"""What a stream holds of one subject, a page at a time: one direct request each, no consumer needed."""

from collections.abc import AsyncGenerator

import msgspec
import nats.errors

from shared.bus import Bus
from shared.errors import Transient

_ANSWER_SECONDS = 5.0


class Stored(msgspec.Struct, frozen=True):
    sequence: int
    body: bytes


async def replay(
    bus: Bus, stream: str, subject: str, *, first_sequence: int = 1, page: int = 256
) -> AsyncGenerator[list[Stored], None]:
    """Pages of at most `page` messages, in the stream's order; none where it holds nothing of the subject.

    Raises Transient while NATS does not answer.
    """
    while True:
        stored, more = await _page(bus, stream, subject, first_sequence, page)
        if stored:
            yield stored
        if not more:
            return
        first_sequence = stored[-1].sequence + 1


async def _page(
    bus: Bus, stream: str, subject: str, first_sequence: int, page: int
) -> tuple[list[Stored], bool]:
    connection = bus.connection
    inbox = connection.new_inbox()
    stored: list[Stored] = []
    try:
        subscription = await connection.subscribe(inbox)
        try:
            wanted = {"batch": page, "seq": first_sequence, "next_by_subj": subject}
            await connection.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(wanted), reply=inbox)
            while True:
                message = await subscription.next_msg(_ANSWER_SECONDS)
                headers = message.headers or {}
                if headers.get("Status"):  # 204: the end of the page; 404: there is nothing.
                    return stored, bool(stored) and headers.get("Nats-Num-Pending", "0") != "0"
                stored.append(Stored(int(headers["Nats-Sequence"]), message.data))
        finally:
            await subscription.unsubscribe()
    except (nats.errors.Error, TimeoutError) as error:
        raise Transient(f"NATS does not give what {stream} holds now") from error
