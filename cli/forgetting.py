"""`pandora forget`: a turn, a session, a memory or all of a user, for good, with a receipt."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.client import Gateway, GatewayError, own_gateway
from cli.failure import CommandFailed
from cli.terminal import harmless

_ERASED_SECONDS = 180.0
_LOOK_SECONDS = 0.25
_MOST_SESSIONS = 100
Receipt = dict[str, Any]

forget = typer.Typer(
    help="Forget a turn, a session, a memory or all of a user, for good.", no_args_is_help=True
)
console = Console()
errors = Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="Print the receipt as JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until the bytes are gone.")]


class ForgettingClient:
    """The gateway's routes for forgetting. Raises GatewayError."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def forget(self, path: str) -> Receipt:
        return await self._gateway.call("DELETE", f"/v1/{path}")

    async def receipt(self, user: str, forget_id: str) -> Receipt:
        return await self._gateway.call("GET", f"/v1/users/{_part(user)}/forgets/{_part(forget_id)}")

    async def until_erased(self, receipt: Receipt) -> Receipt:
        """As it is then, or as far as it has come within three minutes."""
        deadline = time.monotonic() + _ERASED_SECONDS
        while receipt["state"] != "erased" and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                receipt = await self.receipt(receipt["user"], receipt["forget_id"])
            except GatewayError as error:
                if error.status != 404:  # Nobody has begun with it.
                    raise
        return receipt

    async def turns_of(self, session_id: str | None) -> int | None:
        """Of one's own session, or of all one's sessions; None where there are too many to count."""
        page = await self._gateway.call("GET", f"/v1/sessions?limit={_MOST_SESSIONS}")
        sessions = page["sessions"]
        if session_id is not None:
            found = [one["turns"] for one in sessions if one["session_id"] == session_id]
            return found[0] if found else None
        return sum(one["turns"] for one in sessions) if len(sessions) < _MOST_SESSIONS else None


@asynccontextmanager
async def _forgetting() -> AsyncIterator[ForgettingClient]:
    async with own_gateway() as gateway:
        yield ForgettingClient(gateway)


@forget.command()
def turn(turn_id: str, yes: Yes = False, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Forget one turn, and the answers that stood on it."""
    confirm(f"turn {turn_id}", yes)
    carry_out(f"turns/{_part(turn_id)}", no_wait, as_json)


@forget.command()
def session(session_id: str, yes: Yes = False, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Forget a session: its turns, or its imported messages."""
    confirm(f"session {session_id}{'' if yes else _counted(session_id)}", yes)
    carry_out(f"sessions/{_part(session_id)}", no_wait, as_json)


@forget.command()
def memory(memory_id: str, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Forget one memory, without asking."""
    carry_out(f"memories/{_part(memory_id)}", no_wait, as_json)


@forget.command()
def user(
    name: Annotated[str, typer.Argument(help="Left out: yourself. Others need an admin's key.")] = "me",
    yes: Yes = False,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Forget all that is held of a user."""
    own = name == "me"
    counted = _counted(None) if own and not yes else ""
    confirm(f"all that is held of {'you' if own else name}{counted}", yes)
    carry_out(f"users/{_part(name)}/data", no_wait, as_json)


@forget.command()
def receipt(
    forget_id: str,
    name: Annotated[str, typer.Option("--user", help="Whose; for admins. Left out: your own.")] = "me",
    as_json: Json = False,
) -> None:
    """Show how far a request is."""

    async def read() -> Receipt:
        async with _forgetting() as client:
            return await client.receipt(name, forget_id)

    _show(asyncio.run(read()), as_json)


def confirm(what: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed("Nobody is there to be asked. To forget without being asked: --yes.")
    if not typer.confirm(f"Forget {what}, for good?", err=True):
        raise CommandFailed("Nothing was forgotten.")


def carry_out(path: str, no_wait: bool, as_json: bool) -> None:
    """Asks the gateway, waits, and shows the receipt."""

    async def run() -> Receipt:
        async with _forgetting() as client:
            with errors.status("Forgetting") as said:
                answer = await client.forget(path)
                if not no_wait:
                    said.update("Forgotten. Its bytes are being erased")
                    answer = await client.until_erased(answer)
            return answer

    try:
        answer = asyncio.run(run())
    except KeyboardInterrupt:
        errors.print("\nLeft. What was asked for goes on by itself.", markup=False, highlight=False)
        raise typer.Exit(130) from None
    _show(answer, as_json)


def _counted(session_id: str | None) -> str:
    async def count() -> int | None:
        async with _forgetting() as client:
            return await client.turns_of(session_id)

    turns = asyncio.run(count())
    return "" if turns is None else f" ({turns:,} {'turn' if turns == 1 else 'turns'})"


def _show(receipt: Receipt, as_json: bool) -> None:
    if as_json:
        _print(json.dumps(receipt, ensure_ascii=False, indent=2))
        return
    if receipt["stores"]:
        console.print(_table(receipt["stores"]))
    for name, heading in (
        ("turns", "Turns that are gone"),
        ("answers", "Turns that kept their question, and lost an answer that stood on it"),
        ("remains", "Out of reach"),
    ):
        if receipt[name]:
            _print(f"\n{heading}:")
            for one in receipt[name]:
                _print(f"  {one}")
    _print(f"\n{how_far(receipt, datetime.now(UTC))}")


def how_far(receipt: Receipt, now: datetime) -> str:
    """In words; a time is only promised where it is still to come."""
    if receipt["state"] == "erased":
        return "Forgotten, and its bytes are gone."
    look = f"To look again: pandora forget receipt {receipt['forget_id']} --user {receipt['user']}"
    is_late = datetime.fromisoformat(receipt["erased_by"]) <= now
    late = f" It takes longer than it should. {_what_holds_it_up(receipt)}" if is_late else ""
    if receipt["state"] == "pending":
        return f"It is being forgotten, and goes on by itself.{late} {look}"
    if is_late:
        return f"Forgotten. Its bytes are not all gone yet, which goes on by itself.{late} {look}"
    return f"Forgotten. Its bytes are gone by {receipt['erased_by'][:19]} UTC. {look}"


def _what_holds_it_up(receipt: Receipt) -> str:
    stores = [one["store"] for one in receipt["stores"] if not one["erased"] and not one["remains"]]
    still = f"Not yet gone from: {', '.join(stores)}. " if stores else ""
    return f"{still}A turn that still runs may hold it up, or a store that is away: see `pandora status`."


def _table(stores: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in ("store", "removed", "bytes"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "removed" else "left")
    for one in stores:
        remains = f"remain in {one['remains']}" if one["remains"] else "not yet gone"
        table.add_row(one["store"], f"{one['removed']:,}", Text("gone" if one["erased"] else remains))
    return table


def _part(name: str) -> str:
    return quote(name, safe="")


def _print(text: str) -> None:
    console.print(harmless(text), markup=False, highlight=False, soft_wrap=True)
