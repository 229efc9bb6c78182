"""`pandora dead`: messages that were given up, through the gateway."""

from collections.abc import Awaitable, Callable
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.client.gateway import Gateway, GatewayError, own_gateway
from cli.terminal.output import console, harmless, plain_table, print_json, print_text

_PAGE = 100
Letter = dict[str, Any]


class DeadLetters:
    """The gateway's routes for dead letters. Raises GatewayError."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def page(self, *, after: int, limit: int) -> dict[str, Any]:
        query = f"?limit={limit}" + (f"&cursor={after}" if after else "")
        return await self._gateway.call("GET", f"/v1/admin/dead{query}")

    async def numbers(self) -> list[int]:
        """Returns the numbers of all letters that there are now.

        They are read before the first one is replayed. A message that fails again becomes a new letter, so
        reading and replaying in turn might never end.
        """
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


async def list_page(*, after: int, limit: int, as_json: bool) -> None:
    """Prints one page, and how to get the next."""
    async with own_gateway() as gateway:
        page = await DeadLetters(gateway).page(after=after, limit=limit)
    if as_json:
        print_json(page)
    elif not page["letters"]:
        print_text("No dead letters." if not after else f"No dead letters after {after}.")
    else:
        console.print(_table(page["letters"]))
        if page["next_cursor"]:
            print_text(f"There are more: pandora dead list --after {page['next_cursor']}")


async def show_letter(number: int, *, as_json: bool) -> None:
    async with own_gateway() as gateway:
        letter = await DeadLetters(gateway).show(number)
    if as_json:
        print_json(letter)
        return
    body, headers = letter.pop("body"), letter.pop("headers")
    for name, value in [*letter.items(), *headers.items()]:
        print_text(f"{name}: {value}")
    print_text(f"\n{body}")


async def settle(
    act: Callable[[DeadLetters, int], Awaitable[Letter]],
    numbers: list[int] | None,
    done: str,
    *,
    as_json: bool,
) -> bool:
    """Acts on each letter, and prints its result. None: on all. Returns whether none was refused."""
    async with own_gateway() as gateway:
        letters = DeadLetters(gateway)
        results = [await _result(act, letters, number) for number in numbers or await letters.numbers()]
    if as_json:
        print_json(results)
    else:
        for result in results:
            said = result.get("error") or (done if result["done"] else "had been replayed or dropped before")
            print_text(f"{result['sequence']}: {said}")
        if not results:
            print_text("No dead letters.")
    return not any("error" in result for result in results)


async def _result(
    act: Callable[[DeadLetters, int], Awaitable[Letter]], letters: DeadLetters, number: int
) -> dict[str, Any]:
    """A refusal is a result as well, so that the other letters are still acted on."""
    try:
        return await act(letters, number)
    except GatewayError as error:
        return {"sequence": number, "done": False, "error": str(error)}


def _table(letters: list[Letter]) -> Table:
    table = plain_table("number", "given up", "by", "attempts", "reason", right={"attempts"})
    for letter in letters:
        values = (letter["sequence"], letter["at"][:19], letter["durable"], letter["attempts"])
        table.add_row(*map(str, values), Text(harmless(letter["reason"])))
    return table
