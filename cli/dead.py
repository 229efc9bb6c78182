"""`pandora dead`: what was given up, through the gateway: list, show, replay, drop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.client import Gateway, GatewayError, own_gateway
from cli.failure import CommandFailed
from cli.terminal import harmless

_PAGE = 100
Letter = dict[str, Any]

dead = typer.Typer(help="What was given up: list, show, replay, drop.", no_args_is_help=True)
console = Console()
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Numbers = Annotated[list[int] | None, typer.Argument(min=1, help="Numbers from `pandora dead list`.")]


class DeadLetters:
    """The gateway's routes for dead letters. Raises GatewayError."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def page(self, *, after: int, limit: int) -> dict[str, Any]:
        query = f"?limit={limit}" + (f"&cursor={after}" if after else "")
        return await self._gateway.call("GET", f"/v1/admin/dead{query}")

    async def numbers(self) -> list[int]:
        """Of all letters that there are now. Not read on while they are replayed: what fails again comes
        back as a new letter, and would never come to an end."""
        found: list[int] = []
        cursor: str | None = "0"
        while cursor is not None:
            page = await self.page(after=int(cursor), limit=_PAGE)
            found += [letter["sequence"] for letter in page["letters"]]
            cursor = page["next_cursor"]
        return found

    async def show(self, number: int) -> Letter:
        return await self._gateway.call("GET", f"/v1/admin/dead/{number}")

    async def replay(self, number: int) -> Letter:
        return await self._gateway.call("POST", f"/v1/admin/dead/{number}/replay")

    async def drop(self, number: int) -> Letter:
        return await self._gateway.call("DELETE", f"/v1/admin/dead/{number}")


@asynccontextmanager
async def _dead_letters() -> AsyncIterator[DeadLetters]:
    async with own_gateway() as gateway:
        yield DeadLetters(gateway)


@dead.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="Most letters to show.")] = 20,
    after: Annotated[int, typer.Option(min=0, help="Show those behind this number.")] = 0,
    as_json: Json = False,
) -> None:
    """Show what was given up, oldest first."""

    async def read() -> dict[str, Any]:
        async with _dead_letters() as letters:
            return await letters.page(after=after, limit=limit)

    page = asyncio.run(read())
    if as_json:
        _print_json(page)
    elif not page["letters"]:
        _print("No dead letters." if not after else f"No dead letters behind {after}.")
    else:
        console.print(_table(page["letters"]))
        if page["next_cursor"]:
            _print(f"There are more: pandora dead list --after {page['next_cursor']}")


@dead.command()
def show(
    number: Annotated[int, typer.Argument(min=1, help="Number from `pandora dead list`.")],
    as_json: Json = False,
) -> None:
    """Show one letter: why it was given up, its headers, its body."""

    async def read() -> Letter:
        async with _dead_letters() as letters:
            return await letters.show(number)

    letter = asyncio.run(read())
    if as_json:
        _print_json(letter)
        return
    body, headers = letter.pop("body"), letter.pop("headers")
    for name, value in [*letter.items(), *headers.items()]:
        _print(f"{name}: {value}")
    _print(f"\n{body}")


@dead.command()
def replay(
    numbers: Numbers = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter that there is now.")] = False,
    as_json: Json = False,
) -> None:
    """Hand messages to their durables once more, and remove their letters. May be said again."""
    if every == bool(numbers):
        raise CommandFailed("Say which: `pandora dead replay 12 13`, or `pandora dead replay --all`.")
    _finish(asyncio.run(_settle(DeadLetters.replay, numbers)), "replayed", as_json)


@dead.command()
def drop(numbers: Annotated[list[int], typer.Argument(min=1)], as_json: Json = False) -> None:
    """Remove letters for good; their messages are lost."""
    _finish(asyncio.run(_settle(DeadLetters.drop, numbers)), "dropped", as_json)


async def _settle(
    settle: Callable[[DeadLetters, int], Awaitable[Letter]], numbers: list[int] | None
) -> list[dict[str, Any]]:
    """One result a letter; what is refused for one does not keep the others from being settled."""
    async with _dead_letters() as letters:
        results = []
        for number in numbers or await letters.numbers():
            try:
                results.append(await settle(letters, number))
            except GatewayError as error:
                results.append({"sequence": number, "done": False, "error": str(error)})
        return results


def _finish(results: list[dict[str, Any]], done: str, as_json: bool) -> None:
    if as_json:
        _print_json(results)
    for result in [] if as_json else results:
        said = result.get("error") or (done if result["done"] else "had been replayed or dropped before")
        _print(f"{result['sequence']}: {said}")
    if not results and not as_json:
        _print("No dead letters.")
    if any("error" in result for result in results):
        raise typer.Exit(1)


def _table(letters: list[Letter]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in ("number", "given up", "by", "attempts", "reason"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "attempts" else "left")
    for letter in letters:
        values = (letter["sequence"], letter["at"][:19], letter["durable"], letter["attempts"])
        table.add_row(*map(str, values), Text(harmless(letter["reason"])))
    return table


def _print_json(value: object) -> None:
    _print(json.dumps(value, ensure_ascii=False, indent=2))


def _print(text: str) -> None:
    console.print(harmless(text), markup=False, highlight=False, soft_wrap=True)
