"""Tool calls that wait for a person: `pandora approve`, `pandora deny`, and the question of `pandora ask`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from cli.ask import Asked, Event, how_to_find
from cli.client import Gateway, GatewayError, own_gateway
from cli.failure import CommandFailed
from cli.queue import list_waiting
from cli.terminal import harmless

console = Console()
TurnId = Annotated[str, typer.Argument(help="The turn that waits; left out: lists those that do.")]
Call = Annotated[str, typer.Option(help="Key of one call; left out: all that wait.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Confirm = Callable[[str], Awaitable[bool | None]]


def approve(turn_id: TurnId = "", call: Call = "", as_json: Json = False) -> None:
    """Allow a tool call that a turn waits for; the turn goes on. Without a turn: lists those that wait."""
    _answer(turn_id, call, as_json, allow=True)


def deny(turn_id: TurnId = "", call: Call = "", as_json: Json = False) -> None:
    """Forbid a tool call that a turn waits for; the turn goes on without it. Without a turn: lists them."""
    _answer(turn_id, call, as_json, allow=False)


def _answer(turn_id: str, call: str, as_json: bool, *, allow: bool) -> None:
    if not turn_id:
        if call:
            raise CommandFailed("A call's key is one of its turn: name the turn as well.")
        list_waiting(as_json)
        return

    async def answer() -> dict[str, Any]:
        async with own_gateway() as gateway:
            return await answer_call(gateway, turn_id, call, allow=allow)

    answered = asyncio.run(answer())
    said = f"{'Allowed' if allow else 'Not allowed'}: {', '.join(answered['calls'])}."
    shown = json.dumps(answered, ensure_ascii=False, indent=2) if as_json else harmless(said)
    console.print(shown, markup=False, highlight=False, soft_wrap=True)


async def answer_call(gateway: Gateway, turn_id: str, call: str, *, allow: bool) -> dict[str, Any]:
    """Raises GatewayError: 409 where no such call waits."""
    path = f"/v1/turns/{quote(turn_id, safe='')}/{'approve' if allow else 'deny'}"
    return await gateway.call("POST", path, json={"call": call})


class Approving:
    """What is done about the calls of a turn that wait: whoever is there is asked, anybody else told how."""

    def __init__(
        self, gateway: Gateway, asked: Asked, note: Callable[[str], None], confirm: Confirm | None
    ) -> None:
        """`confirm` is None where nobody is there."""
        self._gateway = gateway
        self._asked = asked
        self._note = note
        self._confirm = confirm

    async def answer(self, waiting: Event) -> bool | None:
        """What was answered here, and counts. Raises CommandFailed where whoever was there has gone."""
        turn_id, key = str(self._asked.turn_id), waiting["key"]
        arguments = json.dumps(waiting["arguments"], ensure_ascii=False)
        what = harmless(f"{waiting['tool']} {arguments}")
        if self._confirm is None:
            self._note(
                f"{what} waits for a person, for {waiting['seconds']:g} s. From another terminal: "
                f"`pandora approve {turn_id} --call {key}`, or `pandora deny` with the same."
            )
            return None
        self._note(f"It wants to call {what}")
        allow = await self._confirm("Allow it?")
        if allow is None:
            raise CommandFailed(f"\nLeft. {how_to_find(self._gateway.url, self._asked)}")
        try:
            await answer_call(self._gateway, turn_id, key, allow=allow)
        except GatewayError as error:
            if error.status != 409:
                raise
            self._note("Too late: it was answered elsewhere, or nobody did in time.")
            allow = None
        self._asked.waiting.discard(waiting["call"])
        return allow
