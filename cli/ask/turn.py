"""One turn through the gateway: asked once, its events read to the end, through every broken connection."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import uuid4

from cli.client.gateway import Gateway, GatewayError, json_body
from cli.terminal.failure import CommandFailed

SILENCE_SECONDS = 60.0
"""The gateway sends a heartbeat every 15 s; a minute of silence means that the connection is dead."""
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Before each new try, once a gateway has answered. A gateway that restarts needs some seconds."""
_LAST_EVENTS = ("turn.saved", "turn.failed", "turn.cancelled")
Event = dict[str, Any]


class Asked:
    """One turn, and how far its events are read."""

    def __init__(self, text: str, session: str | None, recipe: str | None = None) -> None:
        more = {"session_id": session, "recipe": recipe}
        self.body: dict[str, Any] = {"input": text} | {name: value for name, value in more.items() if value}
        self.key = str(uuid4())
        """Sent with the turn. The same key again gets the same turn."""
        self.turn_id: str | None = None
        self.last_index = -1
        self.answered = False
        """A gateway has begun to answer."""
        self.ended = False
        self.waiting: set[str] = set()
        """Ids of tool calls that a person has to allow."""
        self.is_uploading = False
        """Its images are being sent; nothing is asked yet."""

    def name_images(self, file_ids: Sequence[str]) -> None:
        """Adds files to the words. The gateway has them already."""
        text = {"type": "input_text", "text": self.body["input"]}
        images = [{"type": "input_image", "file_id": file_id} for file_id in file_ids]
        self.body["input"] = [text, *images]

    def is_new(self, event: Event) -> bool:
        """Returns whether the event was not seen before, and notes how far the turn is."""
        if event["index"] <= self.last_index:
            return False
        self.last_index = event["index"]
        self.turn_id = event.get("turn_id", self.turn_id)
        self.ended = event["type"] in _LAST_EVENTS
        match event["type"]:
            case "tool.waiting":
                self.waiting.add(event["call"])
            case "tool.ended":
                self.waiting.discard(event["call"])
        return True


async def stream_turn(
    gateway: Gateway, asked: Asked, *, pauses: Sequence[float] = _PAUSES
) -> AsyncGenerator[Event]:
    """Yields each event of the turn once. It connects again where the connection breaks.

    Raises CommandFailed. `Retry` calls a function again; this goes on with a stream, and every new event
    gives it all its tries back.
    """
    tries = iter(pauses)
    while not asked.ended:
        before, why = asked.last_index, "it ended too early"
        try:
            async for event in _events(gateway, asked):
                yield event
        except GatewayError as error:
            # 503: the gateway has started, and a service that it needs has not.
            if not asked.answered or error.status not in (None, 503):
                raise
            why = error.why or str(error)
        if asked.last_index > before:
            tries = iter(pauses)
        if not asked.ended:
            await _pause(tries, gateway.url, asked, why)


async def _events(gateway: Gateway, asked: Asked) -> AsyncIterator[Event]:
    """Yields the events of one connection that were not seen before."""
    accept = {"Accept": "text/event-stream"}
    if asked.turn_id is None:
        headers = accept | {"Idempotency-Key": asked.key}
        request = gateway.open("POST", "/v1/turns", body=json_body(asked.body), headers=headers)
    else:
        headers = accept | {"Last-Event-ID": str(asked.last_index)}
        request = gateway.open("GET", f"/v1/turns/{asked.turn_id}/events", headers=headers)
    async with request as response:
        asked.answered = True
        async for event in read_events(response.lines()):
            if asked.is_new(event):
                yield event


async def _pause(tries: Iterator[float], url: str, asked: Asked, why: str) -> None:
    pause = next(tries, None)
    if pause is None:
        raise CommandFailed(
            f"The connection to {url} broke off before the turn did ({why}). {how_to_find(url, asked)}"
        )
    await asyncio.sleep(pause)


def how_to_find(url: str, asked: Asked) -> str:
    """Says how to find the answer later, for a user who leaves before the turn ends."""
    if asked.is_uploading:
        return "Nothing was asked yet."
    if asked.turn_id is None:
        return "See `pandora status`, and `pandora logs gateway`."
    where = f"Its answer will be at {url}/v1/turns/{asked.turn_id}."
    more = (
        f"To follow it: `curl -N {url}/v1/turns/{asked.turn_id}/events`\n"
        f"To cancel it: `pandora cancel {asked.turn_id}`"
    )
    if not asked.waiting:
        return f"Turn {asked.turn_id} goes on. {where}\n{more}"
    how = f"`pandora approve {asked.turn_id}`, or `pandora deny` with the same id"
    return f"The turn still waits: {how}. {where}\n{more}"


async def read_events(lines: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Yields the JSON of each server-sent event. Comments (heartbeats) are left out."""
    data: list[bytes] = []
    async for line in lines:
        match line.rstrip(b"\r\n").partition(b":"):
            case (b"", b"", b""):
                if data:
                    yield json.loads(b"\n".join(data))
                data = []
            case (b"data", _, value):
                data.append(value.removeprefix(b" "))
