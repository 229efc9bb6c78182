"""`pandora memories`: what is known of you, through the gateway: list, add, show, forget."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.client import Gateway, own_gateway
from cli.failure import CommandFailed
from cli.forgetting import NoWait, carry_out
from cli.terminal import harmless

_PAGE = 100
_SESSION_LETTERS = 13
"""Enough to tell sessions apart, and to leave room for what is known."""
Memory = dict[str, Any]
T = TypeVar("T")

memories = typer.Typer(help="Facts, preferences and notes: list, add, show, forget.")
console = Console()
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
OneId = Annotated[str, typer.Argument(help="Id from `pandora memories`, or its first letters.")]


class MemoriesClient:
    """The gateway's routes for memories. Raises CommandFailed."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def page(self, **asked: str) -> dict[str, Any]:
        return await self._gateway.call("GET", f"/v1/memories?{urlencode(asked)}")

    async def add(self, body: dict[str, Any]) -> Memory:
        return await self._gateway.call("POST", "/v1/memories", json=body)

    async def show(self, memory_id: str) -> Memory:
        return await self._gateway.call("GET", f"/v1/memories/{quote(memory_id, safe='')}")

    async def id_of(self, given: str) -> str:
        """The whole id of one that begins like this: the list shows beginnings."""
        if len(given) >= 36:
            return given
        cursor: str | None = ""
        found: set[str] = set()
        while cursor is not None:
            page = await self.page(history="true", limit=str(_PAGE), **({"cursor": cursor} if cursor else {}))
            found |= {one["memory_id"] for one in page["memories"] if one["memory_id"].startswith(given)}
            cursor = page["next_cursor"]
        if given in found or not found:
            return given
        if len(found) > 1:
            raise CommandFailed(f"{given} begins {len(found)} ids; write more letters of it.")
        return found.pop()


@asynccontextmanager
async def _memories() -> AsyncIterator[MemoriesClient]:
    async with own_gateway() as gateway:
        yield MemoriesClient(gateway)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@memories.callback(invoke_without_command=True)
def list_memories(
    context: typer.Context,
    as_of: Annotated[str | None, typer.Option(help="What held then, such as 2026-03-14.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Also what holds no more.")] = False,
    kind: Annotated[str | None, typer.Option(help="fact, preference or note.")] = None,
    subject: Annotated[str | None, typer.Option(help="About whom: user, or a name.")] = None,
    words: Annotated[str | None, typer.Option(help="Words that the text has.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="Most memories to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the last page ended.")] = None,
    as_json: Json = False,
) -> None:
    """Show what is known, the latest first."""
    if context.invoked_subcommand is not None:
        return
    given = {"as_of": as_of, "kind": kind, "subject": subject, "q": words, "cursor": cursor}
    asked = {name: value for name, value in given.items() if value} | {"limit": str(limit)}
    if history:
        asked["history"] = "true"

    async def read() -> dict[str, Any]:
        async with _memories() as client:
            return await client.page(**asked)

    page = _run(read())
    if as_json:
        _print_json(page)
    elif not page["memories"]:
        _print("Nothing is known." if not cursor else "There is nothing more.")
    else:
        console.print(_table(page["memories"]))
        if page["next_cursor"]:
            _print(f"There are more: pandora memories --cursor {page['next_cursor']}")


@memories.command()
def add(
    text: Annotated[str, typer.Argument(help='What to remember, such as "I live in Porto".')],
    kind: Annotated[str | None, typer.Option(help="fact, preference or note.")] = None,
    subject: Annotated[str | None, typer.Option(help="About whom: user, or a name.")] = None,
    attribute: Annotated[str | None, typer.Option(help="home, employer, favourite colour ...")] = None,
    value: Annotated[str | None, typer.Option(help="The bare value.")] = None,
    as_json: Json = False,
) -> None:
    """Remember something."""
    given = {"text": text, "kind": kind, "subject": subject, "attribute": attribute, "value": value}

    async def save() -> Memory:
        async with _memories() as client:
            return await client.add({name: one for name, one in given.items() if one is not None})

    memory = _run(save())
    if as_json:
        _print_json(memory)
    else:
        _print(f"Remembered as {memory['kind']} {memory['memory_id']}.")


@memories.command()
def show(memory_id: OneId, as_json: Json = False) -> None:
    """Show one memory: since when, how surely, and where it is known from."""

    async def read() -> Memory:
        async with _memories() as client:
            return await client.show(await client.id_of(memory_id))

    memory = _run(read())
    if as_json:
        _print_json(memory)
        return
    evidence = memory.pop("evidence")
    for name, value in memory.items():
        if value not in (None, "", []):
            _print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    for one in evidence:
        _print(f"\nsaid at {one['said_at'][:19]}, kept by {_by(one)}")
        if one["quote"]:
            _print(f"  \N{LEFT DOUBLE QUOTATION MARK}{one['quote']}\N{RIGHT DOUBLE QUOTATION MARK}")
        if one["turn_id"]:
            _print(f"  turn {one['turn_id']} of session {one['session_id']}")


@memories.command()
def forget(memory_id: OneId, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Forget one memory, for good: as `pandora forget memory`."""

    async def whole() -> str:
        async with _memories() as client:
            return await client.id_of(memory_id)

    carry_out(f"memories/{quote(_run(whole()), safe='')}", no_wait, as_json)


def _table(page: list[Memory]) -> Table:
    """Two lines each: what is known, and below it since when and where from."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for one in page:
        known = Text(harmless(one["text"]))
        about = Text(harmless(_about(one)), style="dim")
        memory_id = one["memory_id"] if len(page) == 1 else _beginning(one["memory_id"], page)
        table.add_row(memory_id, Text("\n").join([known, about]))
    return table


def _about(memory: Memory) -> str:
    """`fact, 90% sure, since 2026-11-21; from you`."""
    begins, ends = memory["valid_from"][:10], (memory["valid_to"] or "")[:10]
    about = [
        memory["kind"],
        *([memory["status"]] if memory["status"] != "current" else []),
        f"{memory['confidence']:.0%} sure",
        f"{begins} to {ends}" if ends else f"since {begins}",
    ]
    makers = ", ".join(dict.fromkeys(map(_by, memory["evidence"])))
    return ", ".join(about) + (f"; from {makers}" if makers else "")


def _beginning(memory_id: str, page: list[Memory]) -> str:
    """As much of an id as tells it from the others on the page."""
    others = [one["memory_id"] for one in page if one["memory_id"] != memory_id]
    length = 8
    while any(other.startswith(memory_id[:length]) for other in others) and length < len(memory_id):
        length += 4
    return memory_id[:length]


def _by(evidence: dict[str, Any]) -> str:
    who = {"user": "you", "tool": "a tool", "reflector": "the reflector"}[evidence["made_by"]]
    session = evidence["session_id"]
    return f"{who} in {session[:_SESSION_LETTERS]}" if session else who


def _print_json(value: object) -> None:
    _print(json.dumps(value, ensure_ascii=False, indent=2))


def _print(text: str) -> None:
    console.print(harmless(text), markup=False, highlight=False, soft_wrap=True)
