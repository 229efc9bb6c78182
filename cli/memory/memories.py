"""`pandora memories`: what is known of a user, through the gateway."""

from typing import Any
from urllib.parse import quote, urlencode

from rich.table import Table
from rich.text import Text

from cli.client.gateway import Gateway, json_body, own_gateway
from cli.terminal.failure import CommandFailed
from cli.terminal.output import console, harmless, print_json, print_text

_PAGE = 100
_WHOLE_ID_LETTERS = 36
_SESSION_LETTERS = 13
"""Enough to tell sessions apart, and to leave room for what is known."""
Memory = dict[str, Any]


class MemoriesClient:
    """The gateway's routes for memories. Raises CommandFailed."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def page(self, **asked: str) -> dict[str, Any]:
        return await self._gateway.call("GET", f"/v1/memories?{urlencode(asked)}")

    async def add(self, body: dict[str, Any]) -> Memory:
        return await self._gateway.call("POST", "/v1/memories", body=json_body(body))

    async def show(self, memory_id: str) -> Memory:
        return await self._gateway.call("GET", f"/v1/memories/{quote(memory_id, safe='')}")

    async def id_of(self, given: str) -> str:
        """Returns the whole id of the memory whose id begins like this: the list shows beginnings."""
        if len(given) >= _WHOLE_ID_LETTERS:
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
            raise CommandFailed(f"{len(found)} ids begin with {given}. Write more letters of it.")
        return found.pop()


async def list_page(asked: dict[str, str], *, as_json: bool) -> None:
    """Prints one page, and how to get the next."""
    async with own_gateway() as gateway:
        page = await MemoriesClient(gateway).page(**asked)
    if as_json:
        print_json(page)
    elif not page["memories"]:
        print_text("There is nothing more." if "cursor" in asked else "Nothing is known.")
    else:
        console.print(_table(page["memories"]))
        if page["next_cursor"]:
            print_text(f"There are more: pandora memories --cursor {page['next_cursor']}")


async def add_memory(body: dict[str, str], *, as_json: bool) -> None:
    async with own_gateway() as gateway:
        memory = await MemoriesClient(gateway).add(body)
    if as_json:
        print_json(memory)
    else:
        print_text(f"Remembered as {memory['kind']} {memory['memory_id']}.")


async def show_memory(given: str, *, as_json: bool) -> None:
    async with own_gateway() as gateway:
        client = MemoriesClient(gateway)
        memory = await client.show(await client.id_of(given))
    if as_json:
        print_json(memory)
        return
    evidence = memory.pop("evidence")
    for name, value in memory.items():
        if value not in (None, "", []):
            print_text(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    for one in evidence:
        print_text(f"\nsaid at {one['said_at'][:19]}, kept by {_by(one)}")
        if one["quote"]:
            print_text(f"  “{one['quote']}”")
        if one["turn_id"]:
            print_text(f"  turn {one['turn_id']} of session {one['session_id']}")


async def whole_id(given: str) -> str:
    async with own_gateway() as gateway:
        return await MemoriesClient(gateway).id_of(given)


def _table(page: list[Memory]) -> Table:
    """Two lines for each: what is known; below it since when, and where it is known from."""
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
    """Returns as much of an id as no other id on the page begins with."""
    others = [one["memory_id"] for one in page if one["memory_id"] != memory_id]
    length = 8
    while any(other.startswith(memory_id[:length]) for other in others) and length < len(memory_id):
        length += 4
    return memory_id[:length]


def _by(evidence: dict[str, Any]) -> str:
    who = {"user": "you", "tool": "a tool", "reflector": "the reflector"}[evidence["made_by"]]
    session = evidence["session_id"]
    return f"{who} in {session[:_SESSION_LETTERS]}" if session else who
