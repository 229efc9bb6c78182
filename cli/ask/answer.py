"""`pandora ask`: the answer of a turn on the terminal as it comes, then its sources."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from cli.ask.approvals import Approving
from cli.ask.turn import SILENCE_SECONDS, Asked, Event, stream_turn
from cli.client.gateway import own_gateway, silent_for
from cli.terminal.failure import CommandFailed
from cli.terminal.output import print_json, print_note, print_piece
from cli.terminal.questions import confirmed, is_interactive

_WHY_NOT = {
    True: "was allowed, but failed",
    False: "was not allowed",
    None: "was not allowed, or failed",
}
"""Why a tool call has no result, by the answer that was given here. None: no answer was given here."""


async def ask_and_show(asked: Asked, images: Sequence[Path], *, as_json: bool) -> None:
    confirm = confirmed if is_interactive() and not as_json else None
    async with own_gateway(silent_for(SILENCE_SECONDS)) as gateway:
        if images:
            from cli.ask.images import add_images  # It imports the contract.

            await add_images(gateway, asked, images)
        approving = Approving(gateway, asked, print_note, confirm)
        write, note = (_ignored, _ignored) if as_json else (print_piece, print_note)
        async with aclosing(stream_turn(gateway, asked)) as events:
            last = await show(noting_silence(events, note), write, note, approving.answer)
    if as_json:
        print_json(last)
    elif "session_id" not in asked.body:
        print_note(f"To go on: --session {last['session_id']}")


def _ignored(text: str) -> None:
    """Of JSON the last event alone is printed."""


async def noting_silence(
    events: AsyncIterator[Event], note: Callable[[str], None], *, seconds: float = 10.0
) -> AsyncIterator[Event]:
    """Yields the events. Says once that nothing comes, and what the user can do."""
    said = False
    while True:
        following = asyncio.ensure_future(anext(events, None))
        try:
            if not (await asyncio.wait({following}, timeout=seconds))[0] and not said:
                note(
                    f"Nothing came for {seconds:g} s. See `pandora status`. Ctrl-C leaves; the turn goes on."
                )
                said = True
            event = await following
        finally:
            following.cancel()
        if event is None:
            return
        yield event


async def show(
    events: AsyncIterator[Event],
    write: Callable[[str], None],
    note: Callable[[str], None],
    approve: Callable[[Event], Awaitable[bool | None]],
) -> Event:
    """Writes the answer as it comes, then its sources. Returns the turn's last event. Raises CommandFailed.

    `note` gets what happens meanwhile. `approve` is awaited for each tool call that waits for a person; it
    returns the answer that was given here, if there was one.
    """
    answers: dict[str, bool | None] = {}
    async for event in events:
        match event["type"]:
            case "output.delta":
                write(event["text"])
            case "output.restarted":
                write("\n(The answer was cut off and begins anew.)\n")
            case "turn.paused":
                note(f"{event['reason']}; it goes on in {event['seconds']:g} s")
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
    """A source that a tool worked with may have no quote."""
    origin = origin_of(source)
    return f"{origin}: “{source['quote']}”" if source.get("quote") else origin


def origin_of(source: Event) -> str:
    """`turn 12`, `Caroline, 2023-05-08`, `memory, 2026-11-21`, or the name that a tool gives it."""
    if source.get("turn_number") is not None and source.get("kind", "turn") == "turn":
        return f"turn {source['turn_number']}"
    kind = source.get("kind", "memory")
    name = source.get("speaker") or (kind == "research" and source.get("id")) or kind
    return f"{name}, {source['at'][:10]}" if source.get("at") else str(name)
