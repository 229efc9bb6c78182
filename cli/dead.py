"""`pandora dead`: what was given up, through the gateway: list, show, replay, drop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiohttp
import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.settings import ClientSettings, gateway_url
from shared.settings import load

_SECONDS = 30.0
_PAGE = 100
_HINTS = {401: " Set PANDORA_API_KEY to a valid key.", 503: " See `pandora status`."}
Letter = dict[str, Any]

dead = typer.Typer(help="What was given up: list, show, replay, drop.", no_args_is_help=True)
console = Console()
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Numbers = Annotated[list[int] | None, typer.Argument(min=1, help="Numbers from `pandora dead list`.")]


class DeadError(Exception):
    """A command that came to nothing; the message says what to do next."""


class DeadLetters:
    """The gateway's routes for dead letters. Raises DeadError."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def page(self, *, after: int, limit: int) -> dict[str, Any]:
        query = f"?limit={limit}" + (f"&cursor={after}" if after else "")
        return await self._call("GET", f"/v1/admin/dead{query}")

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
        return await self._call("GET", f"/v1/admin/dead/{number}")

    async def replay(self, number: int) -> Letter:
        return await self._call("POST", f"/v1/admin/dead/{number}/replay")

    async def drop(self, number: int) -> Letter:
        return await self._call("DELETE", f"/v1/admin/dead/{number}")

    async def _call(self, method: str, path: str) -> dict[str, Any]:
        try:
            async with self._http.request(method, self._url + path) as response:
                body = await response.read()
        except aiohttp.ClientConnectorError as error:
            raise DeadError(
                f"No gateway answers at {self._url}. Start Pandora with `pandora up`, "
                "or set PANDORA_URL to where it runs."
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DeadError(
                f"The gateway at {self._url} did not answer ({error or 'nothing came in time'}). "
                "See `pandora status`, then run the same command again: it does nothing twice."
            ) from error
        try:
            answer = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DeadError(f"What answers at {self._url} is no gateway. Check PANDORA_URL.") from error
        if response.status != 200:
            raise DeadError(_problem(response.status, answer))
        return answer


def _problem(status: int, problem: dict[str, Any]) -> str:
    """The words of an RFC 9457 answer."""
    detail = str(problem.get("detail") or problem.get("title") or "no reason given").rstrip(".")
    return f"The gateway refused with status {status}: {detail}.{_HINTS.get(status, '')}"


@asynccontextmanager
async def dead_letters(url: str, key: str | None) -> AsyncIterator[DeadLetters]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as http:
        yield DeadLetters(url, http)


def _gateway() -> Any:
    key = load(ClientSettings).pandora_api_key
    return dead_letters(gateway_url(), key.get_secret_value() if key else None)


@dead.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="Most letters to show.")] = 20,
    after: Annotated[int, typer.Option(min=0, help="Show those behind this number.")] = 0,
    as_json: Json = False,
) -> None:
    """Show what was given up, oldest first."""

    async def read() -> dict[str, Any]:
        async with _gateway() as letters:
            page: dict[str, Any] = await letters.page(after=after, limit=limit)
            return page

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
        async with _gateway() as letters:
            letter: Letter = await letters.show(number)
            return letter

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
        raise DeadError("Say which: `pandora dead replay 12 13`, or `pandora dead replay --all`.")
    _finish(asyncio.run(_settle(DeadLetters.replay, numbers)), "replayed", as_json)


@dead.command()
def drop(numbers: Annotated[list[int], typer.Argument(min=1)], as_json: Json = False) -> None:
    """Remove letters for good; their messages are lost."""
    _finish(asyncio.run(_settle(DeadLetters.drop, numbers)), "dropped", as_json)


async def _settle(
    settle: Callable[[DeadLetters, int], Awaitable[Letter]], numbers: list[int] | None
) -> list[dict[str, Any]]:
    """One result a letter; what is refused for one does not keep the others from being settled."""
    async with _gateway() as letters:
        results = []
        for number in numbers or await letters.numbers():
            try:
                results.append(await settle(letters, number))
            except DeadError as error:
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
        table.add_row(*map(str, values), Text(_harmless(letter["reason"])))
    return table


def _print_json(value: object) -> None:
    _print(json.dumps(value, ensure_ascii=False, indent=2))


def _print(text: str) -> None:
    console.print(_harmless(text), markup=False, highlight=False, soft_wrap=True)


def _harmless(text: str) -> str:
    """Somebody else wrote it: no control character may speak to the terminal."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)
