"""`pandora forget`: sends the request, waits until it is carried out, and shows the receipt."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import typer
from rich.table import Table
from rich.text import Text

from cli.client.gateway import Gateway, GatewayError, own_gateway
from cli.terminal.failure import CommandFailed
from cli.terminal.output import console, counted, errors, plain_table, print_json, print_text

_WAIT_SECONDS = 180.0
_LOOK_SECONDS = 0.25
_MOST_SESSIONS = 100
Receipt = dict[str, Any]


class ForgettingClient:
    """The gateway's routes for forgetting. Raises GatewayError."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def forget(self, path: str, *, now: bool) -> Receipt:
        more = f"{'&' if '?' in path else '?'}now=true" if now else ""
        return await self._gateway.call("DELETE", f"/v1/{path}{more}")

    async def receipt(self, user: str, forget_id: str) -> Receipt:
        return await self._gateway.call("GET", f"/v1/users/{_part(user)}/forgets/{_part(forget_id)}")

    async def until(self, receipt: Receipt, *states: str) -> Receipt:
        """Returns the receipt when it has one of these states, or as it is after three minutes."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while receipt["state"] not in states and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                receipt = await self.receipt(receipt["user"], receipt["forget_id"])
            except GatewayError as error:
                if error.status != 404:  # No process has begun with it.
                    raise
        return receipt

    async def size_of_session(self, session_id: str) -> str:
        """Returns `3 turns, 8 messages`. Empty where there is no such session."""
        page = await self._gateway.call("GET", f"/v1/sessions?{urlencode({'session_id': session_id})}")
        return _size(page["sessions"])

    async def size_of_all(self) -> str:
        """Returns the same of all the user's sessions. Empty where there are too many to count."""
        page = await self._gateway.call("GET", f"/v1/sessions?limit={_MOST_SESSIONS}")
        return "" if page["next_cursor"] else _size(page["sessions"])


def _size(sessions: list[dict[str, Any]]) -> str:
    turns, messages = (sum(one[held] for one in sessions) for held in ("turns", "messages"))
    said = [counted(turns, "turn", "turns")] if turns else []
    return ", ".join([*said, *([counted(messages, "message", "messages")] if messages else [])])


# --- what is to be forgotten ---


def turn_path(turn_id: str) -> str:
    return f"turns/{_part(turn_id)}"


def session_path(session_id: str) -> str:
    """In the query: some proxies resolve `..` and decode slashes in a path."""
    return f"sessions?{urlencode({'session_id': session_id})}"


def memory_path(memory_id: str) -> str:
    return f"memories/{_part(memory_id)}"


def user_path(name: str) -> str:
    return f"users/{_part(name)}/data"


def _part(name: str) -> str:
    return quote(name, safe="")


def size_of(session_id: str | None) -> str:
    """Returns ` (3 turns, 8 messages)` of a session, or of all; "" where the numbers are not known."""

    async def count() -> str:
        async with own_gateway() as gateway:
            client = ForgettingClient(gateway)
            return await (client.size_of_all() if session_id is None else client.size_of_session(session_id))

    size = asyncio.run(count())
    return f" ({size})" if size else ""


def confirm(what: str, yes: bool) -> None:
    """Asks before anything is forgotten. Raises CommandFailed where the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed("There is no terminal to ask in. To forget without a question: --yes.")
    if not typer.confirm(f"Forget {what}, for good?", err=True):
        raise CommandFailed("Nothing was forgotten.")


# --- the request and its receipt ---


def carry_out(path: str, *, now: bool, no_wait: bool, as_json: bool) -> None:
    """Sends the request, waits, and shows the receipt. `now`: waits until the bytes are gone."""

    async def run() -> Receipt:
        async with own_gateway() as gateway:
            client = ForgettingClient(gateway)
            with errors.status("Forgetting") as status:
                answer = await client.forget(path, now=now)
                if not no_wait:
                    answer = await client.until(answer, "forgotten", "erased")
                if now and not no_wait:
                    status.update("Forgotten. Its bytes are being erased")
                    answer = await client.until(answer, "erased")
            return answer

    try:
        answer = asyncio.run(run())
    except KeyboardInterrupt:
        raise CommandFailed("\nLeft. The request goes on by itself.", 130) from None
    _show(answer, as_json)


async def show_receipt(user: str, forget_id: str, *, as_json: bool) -> None:
    async with own_gateway() as gateway:
        _show(await ForgettingClient(gateway).receipt(user, forget_id), as_json)


def _show(receipt: Receipt, as_json: bool) -> None:
    if as_json:
        print_json(receipt)
        return
    if receipt["stores"]:
        console.print(_table(receipt["stores"]))
    for name, heading in (
        ("turns", "Turns that are gone"),
        ("answers", "Turns that kept their question, and lost an answer that stood on it"),
        ("remains", "Out of reach"),
    ):
        if receipt[name]:
            print_text(f"\n{heading}:")
            for one in receipt[name]:
                print_text(f"  {one}")
    print_text(f"\n{how_far(receipt, datetime.now(UTC))}")


def how_far(receipt: Receipt, now: datetime) -> str:
    """Says in words how far it is. It promises no time that has passed."""
    if receipt["state"] == "erased":
        return "Forgotten, and its bytes are gone."
    look = f"To look again: pandora forget receipt {receipt['forget_id']} --user {receipt['user']}"
    is_late = datetime.fromisoformat(receipt["erased_by"]) <= now
    late = f" It takes longer than it should. {_what_delays(receipt)}" if is_late else ""
    if receipt["state"] == "pending":
        return f"It is being forgotten, and goes on by itself.{late} {look}"
    if is_late:
        return f"Forgotten. Its bytes are not all gone yet, which goes on by itself.{late} {look}"
    return f"Forgotten. Its bytes are gone by {receipt['erased_by'][:19]} UTC. {look}"


def _what_delays(receipt: Receipt) -> str:
    stores = [one["store"] for one in receipt["stores"] if not one["erased"] and not one["remains"]]
    still = f"Not yet gone from: {', '.join(stores)}. " if stores else ""
    return f"{still}A turn that still runs may hold it up, or a store that is away: see `pandora status`."


def _table(stores: list[dict[str, Any]]) -> Table:
    table = plain_table("store", "removed", "bytes", right={"removed"})
    for one in stores:
        remains = f"remain in {one['remains']}" if one["remains"] else "not yet gone"
        table.add_row(one["store"], f"{one['removed']:,}", Text("gone" if one["erased"] else remains))
    return table
