"""`pandora ask`: one turn through the gateway, streamed to the terminal."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 60.0
"""The gateway sends a heartbeat every 15 s; a minute of silence means that the connection is dead."""
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Before each try to come back, once a gateway has answered: one that restarts needs some seconds."""

_LONGEST_LINE_BYTES = 4 * 1024 * 1024
_LAST_EVENTS = ("turn.saved", "turn.failed", "turn.cancelled")

Event = dict[str, Any]


class AskError(Exception):
    """The turn did not come to its end; the message says what to do next."""


class Asked:
    """One turn, and how far its events were read."""

    def __init__(self, text: str, session: str | None, recipe: str | None = None) -> None:
        more = {"session_id": session, "recipe": recipe}
        self.body = {"input": text} | {name: value for name, value in more.items() if value}
        self.key = str(uuid4())
        """Sent with the turn, so that asking again is asking for the same turn."""
        self.turn_id: str | None = None
        self.last_index = -1
        self.answered = False
        """A gateway has begun to answer."""
        self.ended = False

    def is_new(self, event: Event) -> bool:
        """Notes how far the turn is."""
        if event["index"] <= self.last_index:
            return False
        self.last_index = event["index"]
        self.turn_id = event.get("turn_id", self.turn_id)
        self.ended = event["type"] in _LAST_EVENTS
        return True


async def stream_turn(
    url: str, key: str | None, asked: Asked, *, pauses: Sequence[float] = _PAUSES
) -> AsyncGenerator[Event]:
    """Yields the turn's events, each once, and comes back where the connection breaks. Raises AskError."""
    headers = {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {key}"} if key else {})
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
    async with aiohttp.ClientSession(
        timeout=timeout, headers=headers, read_bufsize=_LONGEST_LINE_BYTES
    ) as client:
        tries = iter(pauses)
        while not asked.ended:
            before, why = asked.last_index, "it ended too early"
            try:
                async for event in _events(client, url, asked):
                    yield event
            except (aiohttp.ClientError, TimeoutError) as error:
                if not asked.answered:
                    raise AskError(
                        f"No gateway answers at {url}. Start Pandora with `pandora up`, "
                        "or set PANDORA_URL to where it runs."
                    ) from error
                why = str(error) or "nothing came for a minute"
            if asked.last_index > before:
                tries = iter(pauses)
            if not asked.ended:
                await _pause(tries, url, asked, why)


async def _events(client: aiohttp.ClientSession, url: str, asked: Asked) -> AsyncIterator[Event]:
    """What one connection brings that is new."""
    if asked.turn_id is None:
        request = client.post(f"{url}/v1/turns", json=asked.body, headers={"Idempotency-Key": asked.key})
    else:
        request = client.get(
            f"{url}/v1/turns/{asked.turn_id}/events", headers={"Last-Event-ID": str(asked.last_index)}
        )
    async with request as response:
        if asked.answered and response.status == 503:
            return  # It has just started, and what it depends on has not.
        if response.status != 200:
            raise AskError(_problem(response.status, await response.text()))
        asked.answered = True
        async for event in read_events(response.content):
            if asked.is_new(event):
                yield event


async def _pause(tries: Iterator[float], url: str, asked: Asked, why: str) -> None:
    pause = next(tries, None)
    if pause is None:
        raise AskError(
            f"The connection to {url} broke off before the turn did ({why}). {how_to_find(url, asked)}"
        )
    await asyncio.sleep(pause)


def how_to_find(url: str, asked: Asked) -> str:
    """For somebody who is not there at the end of the turn."""
    if asked.turn_id is None:
        return "See `pandora status`, and `pandora logs gateway`."
    return f"Turn {asked.turn_id} goes on. Its answer will be at {url}/v1/turns/{asked.turn_id}."


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


def _problem(status: int, body: str) -> str:
    """The words of an RFC 9457 answer."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {}
    detail = problem.get("detail") or problem.get("title") or body[:200] or "no reason given"
    field = f" ({problem['field']})" if problem.get("field") else ""
    hints = {401: " Set PANDORA_API_KEY to a valid key.", 503: " See `pandora status`."}
    return f"The gateway refused with status {status}: {detail}{field}.{hints.get(status, '')}".replace(
        "..", "."
    )


def how_to_allow(waiting: Event) -> str:
    arguments = json.dumps(waiting["arguments"], ensure_ascii=False)
    return (
        f"{waiting['tool']} {arguments} waits for a person. POST to the turn's /approve or /deny within "
        f"{waiting['seconds']:g} s, from another terminal."
    )


async def show(
    events: AsyncIterator[Event], write: Callable[[str], None], note: Callable[[str], None]
) -> Event:
    """Writes the answer as it comes, then its sources; returns the turn's last event. Raises AskError.

    `note` gets what happens meanwhile.
    """
    async for event in events:
        match event["type"]:
            case "output.delta":
                write(event["text"])
            case "output.restarted":
                write("\n(The answer was cut off and begins anew.)\n")
            case "tool.started":
                note(f"{event['tool']} ...")
            case "tool.waiting":
                note(how_to_allow(event))
            case "turn.saved":
                write(f"\n{format_sources(event['sources'])}")
                return event
            case "turn.failed":
                raise AskError(f"The turn failed: {event['detail']} See `pandora logs orchestrator`.")
            case "turn.cancelled":
                raise AskError("The turn was cancelled.")
    raise AskError("The events ended before the turn did. See `pandora status`.")


def format_sources(sources: list[Event]) -> str:
    if not sources:
        return ""
    lines = [f"  {_origin_of(source)}: “{source['quote']}”" for source in sources]
    return "\n".join(["", "Sources", *lines, ""])


def _origin_of(source: Event) -> str:
    """`turn 12`, `Caroline, 2023-05-08`, `memory, 2026-11-21`."""
    if source.get("turn_number") is not None and source.get("kind", "turn") == "turn":
        return f"turn {source['turn_number']}"
    said = source.get("speaker") or source.get("kind", "memory")
    return f"{said}, {source['at'][:10]}" if source.get("at") else str(said)
