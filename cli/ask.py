"""`pandora ask`: one turn through the gateway, streamed to the terminal."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import aiohttp

from cli.client import Gateway, GatewayError
from cli.failure import CommandFailed

SILENCE_SECONDS = 60.0
"""The gateway sends a heartbeat every 15 s; a minute of silence means that the connection is dead."""
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Before each try to come back, once a gateway has answered: one that restarts needs some seconds."""
_LAST_EVENTS = ("turn.saved", "turn.failed", "turn.cancelled")
_WHY_NOT = {
    True: "was allowed, but failed",
    False: "was not allowed",
    None: "was not allowed, or failed",
}
"""What became of a tool call by what was answered here; None: it was answered elsewhere, or by nobody."""

Event = dict[str, Any]


class Asked:
    """One turn, and how far its events were read."""

    def __init__(self, text: str, session: str | None, recipe: str | None = None) -> None:
        more = {"session_id": session, "recipe": recipe}
        self.body: dict[str, Any] = {"input": text} | {name: value for name, value in more.items() if value}
        self.key = str(uuid4())
        """Sent with the turn, so that asking again is asking for the same turn."""
        self.turn_id: str | None = None
        self.last_index = -1
        self.answered = False
        """A gateway has begun to answer."""
        self.ended = False
        self.waiting: set[str] = set()
        """Ids of tool calls that a person has to allow."""
        self.is_uploading = False
        """Its images are on their way; nothing was asked yet."""

    def name_images(self, file_ids: Sequence[str]) -> None:
        """Beside the words: files that the gateway has by now."""
        text = {"type": "input_text", "text": self.body["input"]}
        images = [{"type": "input_image", "file_id": file_id} for file_id in file_ids]
        self.body["input"] = [text, *images]

    def is_new(self, event: Event) -> bool:
        """Notes how far the turn is."""
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
    """Yields the turn's events, each once, and comes back where the connection breaks.

    Raises CommandFailed.
    """
    tries = iter(pauses)
    while not asked.ended:
        before, why = asked.last_index, "it ended too early"
        try:
            async for event in _events(gateway, asked):
                yield event
        except GatewayError as error:
            # Where it has just started, what it depends on may not have: 503.
            if not asked.answered or error.status not in (None, 503):
                raise
            why = error.why or str(error)
        if asked.last_index > before:
            tries = iter(pauses)
        if not asked.ended:
            await _pause(tries, gateway.url, asked, why)


async def _events(gateway: Gateway, asked: Asked) -> AsyncIterator[Event]:
    """What one connection brings that is new."""
    accept = {"Accept": "text/event-stream"}
    if asked.turn_id is None:
        headers = accept | {"Idempotency-Key": asked.key}
        request = gateway.open("POST", "/v1/turns", json=asked.body, headers=headers)
    else:
        headers = accept | {"Last-Event-ID": str(asked.last_index)}
        request = gateway.open("GET", f"/v1/turns/{asked.turn_id}/events", headers=headers)
    async with request as response:
        asked.answered = True
        async for event in read_events(response.content):
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
    """For somebody who is not there at the end of the turn."""
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


async def read_events(lines: AsyncIterator[bytes] | aiohttp.StreamReader) -> AsyncIterator[Event]:
    """The JSON of each server-sent event; comments (heartbeats) are passed over."""
    data: list[bytes] = []
    async for line in lines:
        match line.rstrip(b"\r\n").partition(b":"):
            case (b"", b"", b""):
                if data:
                    yield json.loads(b"\n".join(data))
                data = []
            case (b"data", _, value):
                data.append(value.removeprefix(b" "))


async def show(
    events: AsyncIterator[Event],
    write: Callable[[str], None],
    note: Callable[[str], None],
    approve: Callable[[Event], Awaitable[bool | None]],
) -> Event:
    """Writes the answer as it comes, then its sources; returns the turn's last event. Raises CommandFailed.

    `note` gets what happens meanwhile; `approve` is awaited for each tool call that waits for a person, and
    says what was answered here, if anything was.
    """
    answers: dict[str, bool | None] = {}
    async for event in events:
        match event["type"]:
            case "output.delta":
                write(event["text"])
            case "output.restarted":
                write("\n(The answer was cut off and begins anew.)\n")
            case "tool.started":
                note(f"{event['tool']} ...")
            case "tool.waiting":
                answers[event["call"]] = await approve(event)
            case "tool.ended" if event["call"] in answers:
                allowed = answers.pop(event["call"])
                if not event["ok"]:
                    note(f"{event['tool']} {_WHY_NOT[allowed]}.")
            case "turn.saved":
                write(f"\n{format_sources(event['sources'])}")
                return event
            case "turn.failed":
                raise CommandFailed(f"The turn failed: {event['detail']} See `pandora logs orchestrator`.")
            case "turn.cancelled":
                raise CommandFailed("The turn was cancelled.")
    raise CommandFailed("The events ended before the turn did. See `pandora status`.")


def format_sources(sources: list[Event]) -> str:
    if not sources:
        return ""
    return "\n".join(["", "Sources", *(f"  {_line_of(source)}" for source in sources), ""])


def _line_of(source: Event) -> str:
    """What a tool worked with, it need not quote."""
    origin = _origin_of(source)
    return f"{origin}: “{source['quote']}”" if source.get("quote") else origin


def _origin_of(source: Event) -> str:
    """`turn 12`, `Caroline, 2023-05-08`, `memory, 2026-11-21`, and what a tool calls its own."""
    if source.get("turn_number") is not None and source.get("kind", "turn") == "turn":
        return f"turn {source['turn_number']}"
    kind = source.get("kind", "memory")
    said = source.get("speaker") or (kind == "research" and source.get("id")) or kind
    return f"{said}, {source['at'][:10]}" if source.get("at") else str(said)
