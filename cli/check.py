"""`pandora check`: holds rows and points against each other."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console

from cli.upkeep import bus_to_indexer
from shared.errors import Transient
from shared.replies import Check, CheckReply, StillChecking

if TYPE_CHECKING:
    from shared.bus import Bus

_SILENCE_SECONDS = 600.0
"""A page of texts that are embedded, and long compactions, take their time."""
_NAMES = {"turn": "messages", "memory": "memories", "research": "research"}
console = Console()
errors = Console(stderr=True)


def check(
    mend: Annotated[bool, typer.Option("--mend", help="Put right what is not.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Look for rows without points and points without rows. Exit status 1 where something is wrong."""
    found, left = asyncio.run(_check(mend, show=not as_json))
    if as_json:
        answer: dict[str, Any] = {"right": is_right(left), "found": msgspec.to_builtins(found)}
        _print(json.dumps(answer | ({"left": msgspec.to_builtins(left)} if mend else {}), indent=2))
    else:
        for line in lines_of(found):
            _print(line)
        if is_right(found):
            _print("All is right.")
        elif mend:
            _print("Mended: all is right now." if is_right(left) else "Not all could be mended:")
            for line in [] if is_right(left) else lines_of(left):
                _print(line)
        else:
            _print("To put it right: pandora check --mend")
    raise typer.Exit(0 if is_right(left) else 1)


async def _check(mend: bool, *, show: bool) -> tuple[CheckReply, CheckReply]:
    """What was found, and what is left after the mending."""
    async with bus_to_indexer() as bus:
        with errors.status("Looking ...") as status:
            if not show:
                status.stop()

            def say(checked: int) -> None:
                status.update(f"Looking ... {checked:,} rows and points")

            found = await _asked(bus, Check(mend=mend), say)
            if not mend or is_right(found):
                return found, found
            return found, await _asked(bus, Check(), say)


async def _asked(bus: "Bus", request: Check, say: Any) -> CheckReply:
    async for answer in bus.ask_and_follow(request, StillChecking, silence_seconds=_SILENCE_SECONDS):
        if isinstance(answer, CheckReply):
            return answer
        say(answer.checked)
    raise Transient("the indexer stopped in between")


def is_right(checked: CheckReply) -> bool:
    return checked.turns_without_messages == 0 and all(
        kind.rows_without_points == 0 == kind.points_without_rows for kind in checked.kinds
    )


def lines_of(checked: CheckReply) -> list[str]:
    lines = [
        f"{_NAMES.get(kind.kind, kind.kind)}: {kind.rows:,} rows, {kind.points:,} points; "
        f"{kind.rows_without_points:,} rows without points, {kind.points_without_rows:,} points without rows"
        for kind in checked.kinds
    ]
    return [*lines, f"turns without messages: {checked.turns_without_messages:,}"]


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
