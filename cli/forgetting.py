"""`pandora forget`: a turn, a session, a memory or all of a user, for good, with a receipt."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import quote

import aiohttp
import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.settings import ClientSettings, gateway_url
from shared.settings import load

_SECONDS = 30.0
_ERASED_SECONDS = 180.0
_LOOK_SECONDS = 0.25
_MOST_SESSIONS = 100
_HINTS = {
    401: " Set PANDORA_API_KEY to a valid key.",
    403: " Set PANDORA_API_KEY to an admin's key.",
    503: " See `pandora status`.",
}
Receipt = dict[str, Any]

forget = typer.Typer(
    help="Forget a turn, a session, a memory or all of a user, for good.", no_args_is_help=True
)
console = Console()
errors = Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="Print the receipt as JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until the bytes are gone.")]


class ForgetError(Exception):
    """A command that came to nothing; the message says what to do next."""


class ForgettingClient:
    """The gateway's routes for forgetting. Raises ForgetError."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def forget(self, path: str) -> Receipt:
        return await self._call("DELETE", f"/v1/{path}")

    async def receipt(self, user: str, forget_id: str) -> Receipt:
        return await self._call("GET", f"/v1/users/{_part(user)}/forgets/{_part(forget_id)}")

    async def until_erased(self, receipt: Receipt) -> Receipt:
        """As it is then, or as far as it has come within three minutes."""
        deadline = time.monotonic() + _ERASED_SECONDS
        while receipt["state"] != "erased" and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                receipt = await self.receipt(receipt["user"], receipt["forget_id"])
            except ForgetError as error:
                if not isinstance(error.__cause__, _NotYet):
                    raise
        return receipt

    async def turns_of(self, session_id: str | None) -> int | None:
        """Of one's own session, or of all one's sessions; None where there are too many to count."""
        page = await self._call("GET", f"/v1/sessions?limit={_MOST_SESSIONS}")
        sessions = page["sessions"]
        if session_id is not None:
            found = [one["turns"] for one in sessions if one["session_id"] == session_id]
            return found[0] if found else None
        return sum(one["turns"] for one in sessions) if len(sessions) < _MOST_SESSIONS else None

    async def _call(self, method: str, path: str) -> dict[str, Any]:
        try:
            async with self._http.request(method, self._url + path) as response:
                answer = msgspec.json.decode(await response.read(), type=dict[str, Any])
        except aiohttp.ClientConnectorError as error:
            raise ForgetError(
                f"No gateway answers at {self._url}. Start Pandora with `pandora up`, "
                "or set PANDORA_URL to where it runs."
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ForgetError(
                f"The gateway at {self._url} did not answer ({error or 'nothing came in time'}). "
                "See `pandora status`, then run the same command again: to forget twice does no harm."
            ) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ForgetError(f"What answers at {self._url} is no gateway. Check PANDORA_URL.") from error
        if response.status >= 300:
            detail = str(answer.get("detail") or answer.get("title") or "no reason given").rstrip(".")
            hint = _HINTS.get(response.status, "")
            cause = _NotYet() if response.status == 404 else None
            raise ForgetError(
                f"The gateway refused with status {response.status}: {detail}.{hint}"
            ) from cause
        return answer


class _NotYet(Exception):
    """Nobody has begun with it."""


@asynccontextmanager
async def forgetting_at(url: str, key: str | None) -> AsyncIterator[ForgettingClient]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as http:
        yield ForgettingClient(url, http)


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
        async with _gateway() as client:
            found: Receipt = await client.receipt(name, forget_id)
            return found

    _show(asyncio.run(read()), as_json)


def confirm(what: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ForgetError("Nobody is there to be asked. To forget without being asked: --yes.")
    if not typer.confirm(f"Forget {what}, for good?", err=True):
        raise ForgetError("Nothing was forgotten.")


def carry_out(path: str, no_wait: bool, as_json: bool) -> None:
    """Asks the gateway, waits, and shows the receipt."""

    async def run() -> Receipt:
        async with _gateway() as client:
            with errors.status("Forgetting") as said:
                answer: Receipt = await client.forget(path)
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
        async with _gateway() as client:
            number: int | None = await client.turns_of(session_id)
            return number

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
    how_to_look = f"pandora forget receipt {receipt['forget_id']} --user {receipt['user']}"
    says = {
        "pending": f"It is being forgotten, and goes on by itself. To look again: {how_to_look}",
        "forgotten": f"Forgotten. Its bytes are gone by {receipt['erased_by'][:19]}. "
        f"To look again: {how_to_look}",
        "erased": "Forgotten, and its bytes are gone.",
    }
    _print(f"\n{says[receipt['state']]}")


def _table(stores: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in ("store", "removed", "bytes"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "removed" else "left")
    for one in stores:
        remains = f"remain in {one['remains']}" if one["remains"] else "not yet gone"
        table.add_row(one["store"], f"{one['removed']:,}", Text("gone" if one["erased"] else remains))
    return table


def _gateway() -> Any:
    key = load(ClientSettings).pandora_api_key
    return forgetting_at(gateway_url(), key.get_secret_value() if key else None)


def _part(name: str) -> str:
    return quote(name, safe="")


def _print(text: str) -> None:
    """Somebody else wrote some of it: no control character may speak to the terminal."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    console.print(shown, markup=False, highlight=False, soft_wrap=True)
