"""One's turns that have not ended: which of them wait for an answer, and `pandora cancel`."""

import asyncio
import json
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
from rich.console import Console

from cli.client import Gateway, own_gateway
from cli.terminal import harmless

_PAGE = 100
_SHOWN_CHARACTERS = 70
"""Of what was said: a line of a terminal."""
Turn = dict[str, Any]
console = Console()


async def queued_turns(gateway: Gateway, status: str) -> list[Turn]:
    """All of one's turns with this status, oldest first. Raises GatewayError."""
    turns: list[Turn] = []
    cursor: str | None = ""
    while cursor is not None:
        asked = {"status": status, "limit": str(_PAGE)} | ({"cursor": cursor} if cursor else {})
        page = await gateway.call("GET", f"/v1/queue?{urlencode(asked)}")
        turns += page["turns"]
        cursor = page["next_cursor"]
    return turns


def list_waiting(as_json: bool) -> None:
    """Prints the turns that wait for a person, and how to go on."""

    async def read() -> list[Turn]:
        async with own_gateway() as gateway:
            return await queued_turns(gateway, "waiting")

    turns = asyncio.run(read())
    if as_json:
        _print(json.dumps(turns, ensure_ascii=False, indent=2))
        return
    for line in lines_of(turns):
        _print(line)


def lines_of(turns: list[Turn]) -> list[str]:
    if not turns:
        return ["No turn of yours waits for an answer."]
    lines: list[str] = []
    for turn in turns:
        lines.append(f"{turn['id']}  {_beginning(turn['input'])}")
        for call in turn["calls"]:
            what = f"{call['tool']} {json.dumps(call['arguments'], ensure_ascii=False)}"
            lines.append(f"  --call {call['key']}  {_beginning(what)}")
    how = f"To let one go on: `pandora approve {turns[0]['id']}`, or `pandora deny` with its id."
    return [*lines, "", f"{how} With --call: that call alone."]


def cancel(
    turn_id: Annotated[str, typer.Argument(help="The turn to stop; `pandora ask` says its id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Stop a turn, whether it waits or runs. Exit status 1 where it had ended."""

    async def stop() -> dict[str, Any]:
        async with own_gateway() as gateway:
            return await gateway.call("POST", f"/v1/turns/{quote(turn_id, safe='')}/cancel")

    told = asyncio.run(stop())
    _print(json.dumps(told, indent=2) if as_json else words_of(told))
    raise typer.Exit(0 if told["done"] else 1)


def words_of(told: dict[str, Any]) -> str:
    if not told["done"]:
        return f"Too late: the turn has ended ({told['found']})."
    return "It was cancelled before." if told["found"] == "cancelled" else "Cancelled."


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 1]}…"


def _print(text: str) -> None:
    console.print(harmless(text), markup=False, highlight=False, soft_wrap=True)
