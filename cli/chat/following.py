"""A turn at the terminal of a chat: its phases, its answer, and what stops it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing
from urllib.parse import quote

from cli.ask.answer import noting_silence, show
from cli.ask.approvals import Approving
from cli.ask.queue import words_of
from cli.ask.turn import Asked, Event, stream_turn
from cli.client.gateway import Gateway, own_gateway
from cli.terminal.failure import CommandFailed
from cli.terminal.lines import Lines
from cli.terminal.output import errors, print_error, print_note, print_piece
from cli.terminal.questions import confirmed, is_interactive


class Following:
    """One turn, from asking it to its end."""

    def __init__(self, gateway: Gateway, asked: Asked, lines: Lines, later: deque[str]) -> None:
        """`later` gets the lines that are typed meanwhile."""
        self._gateway = gateway
        self._asked = asked
        self._lines = lines
        self._later = later
        self._wants_cancel = False
        self._cancelling: asyncio.Task[None] | None = None
        self._showing: asyncio.Task[Event] | None = None
        self._answer: asyncio.Future[str | None] | None = None
        """Of a question that is on the screen."""

    async def to_the_end(self) -> Event:
        """Shows the turn. Raises CommandFailed where it has no answer, CancelledError where it is left."""
        self._showing = asyncio.create_task(self._show())
        reading = asyncio.create_task(self._read_meanwhile())
        try:
            return await self._showing
        finally:
            reading.cancel()
            if self._cancelling is not None:
                await asyncio.gather(self._cancelling, return_exceptions=True)

    def interrupt(self) -> bool:
        """Cancels the turn. Leaves it the second time, and returns True then."""
        if self._wants_cancel:
            if self._showing is not None:
                self._showing.cancel()
            return True
        print_note("\nCancelling. Ctrl-C again leaves.")
        self._cancel()
        return False

    async def _show(self) -> Event:
        confirm = self._confirm if is_interactive() else None
        approving = Approving(self._gateway, self._asked, print_note, confirm)
        async with aclosing(stream_turn(self._gateway, self._asked)) as events:
            watched = self._watched(noting_silence(events, print_note))
            return await show(watched, print_piece, print_note, approving.answer)

    async def _watched(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        phases = _Phases()
        async for event in events:
            self._cancel_once_known()
            phases.see(event)
            yield event

    # --- cancelling ---

    def _cancel(self) -> None:
        self._wants_cancel = True
        self._cancel_once_known()

    def _cancel_once_known(self) -> None:
        """A turn that is not stored yet has no id to cancel it by."""
        if self._wants_cancel and self._cancelling is None and self._asked.turn_id is not None:
            self._cancelling = asyncio.create_task(self._send_cancel(self._asked.turn_id))

    async def _send_cancel(self, turn_id: str) -> None:
        try:
            async with own_gateway() as gateway:
                answer = await gateway.call("POST", f"/v1/turns/{quote(turn_id, safe='')}/cancel")
        except CommandFailed as error:
            print_error(str(error))
            return
        if not answer["done"]:
            print_note(words_of(answer))

    # --- what is typed meanwhile ---

    async def _read_meanwhile(self) -> None:
        while (line := await self._lines.line()) is not None:
            if self._answer is not None:
                self._answer.set_result(line)
                self._answer = None
            elif line.strip() == "/cancel":
                self._cancel()
            else:
                self._later.append(line)
        if self._answer is not None:
            self._answer.set_result(None)

    async def _confirm(self, question: str) -> bool | None:
        return await confirmed(question, self._next_line)

    async def _next_line(self) -> str:
        self._answer = asyncio.get_running_loop().create_future()
        line = await self._answer
        return "" if line is None else f"{line}\n"


class _Phases:
    """Names the phases in one quiet line, until the answer begins."""

    def __init__(self) -> None:
        self._named = 0
        self._is_over = not errors.is_terminal

    def see(self, event: Event) -> None:
        if self._is_over:
            return
        if event["type"] == "phase.started":
            errors.print(f"{', ' if self._named else ''}{event['phase']}", style="dim", end="")
            self._named += 1
        elif event["type"] not in ("turn.queued", "phase.ended", "turn.sources"):
            self._is_over = event["type"] != "turn.paused" and not event["type"].startswith("tool.")
            self._end_line()

    def _end_line(self) -> None:
        if self._named:
            errors.print()
        self._named = 0
