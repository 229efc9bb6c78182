"""`pandora ask`: one turn through the gateway, streamed to the terminal."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 60.0
"""The gateway sends a heartbeat every 15 s; a minute of silence means that the connection is dead."""

_LONGEST_LINE_BYTES = 4 * 1024 * 1024

Event = dict[str, Any]


class AskError(Exception):
    """The turn did not come to its end; the message says what to do next."""


async def stream_turn(url: str, key: str | None, text: str, session: str | None) -> AsyncGenerator[Event]:
    """Yields the turn's events as the gateway sends them. Raises AskError."""
    body = {"input": text} | ({"session_id": session} if session else {})
    headers = {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {key}"} if key else {})
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=timeout, headers=headers, read_bufsize=_LONGEST_LINE_BYTES
            ) as client,
            client.post(f"{url}/v1/turns", json=body) as response,
        ):
            if response.status != 200:
                raise AskError(_problem(response.status, await response.text()))
            async for event in read_events(response.content):
                yield event
    except aiohttp.ClientConnectorError as error:
        raise AskError(
            f"No gateway answers at {url}. Start Pandora with `pandora up`, "
            "or set PANDORA_URL to where it runs."
        ) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise AskError(
            f"The connection to {url} broke off ({error or 'nothing came for a minute'}). "
            "The turn goes on without it; see `pandora status`, and `pandora logs gateway`."
        ) from error


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


async def show(events: AsyncIterator[Event], write: Callable[[str], None]) -> Event:
    """Writes the answer as it comes, then its sources; returns the turn's last event. Raises AskError."""
    async for event in events:
        match event["type"]:
            case "output.delta":
                write(event["text"])
            case "output.restarted":
                write("\n(The answer was cut off and begins anew.)\n")
            case "turn.saved":
                write(f"\n{format_sources(event['sources'])}")
                return event
            case "turn.failed":
                raise AskError(f"The turn failed: {event['detail']} See `pandora logs orchestrator`.")
            case "turn.cancelled":
                raise AskError("The turn was cancelled.")
    raise AskError("The stream ended before the turn did. See `pandora status`.")


def format_sources(sources: list[Event]) -> str:
    if not sources:
        return ""
    lines = [f"  turn {source['turn_number']}: “{source['quote']}”" for source in sources]
    return "\n".join(["", "Sources", *lines, ""])
