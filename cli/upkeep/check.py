"""`pandora check`: compares rows with points."""

from collections.abc import Callable
from typing import Any

import msgspec

from cli.terminal.output import errors, print_json, print_text
from cli.upkeep.bus import bus_to_indexer
from shared.bus.connection import Bus
from shared.contract.errors import Transient
from shared.contract.requests import Check, CheckReply, StillChecking

_SILENCE_SECONDS = 600.0
"""Longest wait between two answers. A page of texts to embed and a long compaction take time."""
_NAMES = {"turn": "messages", "memory": "memories", "research": "research"}


async def look(*, mend: bool, as_json: bool) -> bool:
    """Prints what is wrong, and with `mend` what is left of it. Returns whether all is right now."""
    found, left = await _found_and_left(mend, show=not as_json)
    if as_json:
        answer: dict[str, Any] = {"right": is_right(left), "found": msgspec.to_builtins(found)}
        print_json(answer | ({"left": msgspec.to_builtins(left)} if mend else {}))
    else:
        for line in _report(found, left, mend):
            print_text(line)
    return is_right(left)


def _report(found: CheckReply, left: CheckReply, mend: bool) -> list[str]:
    if is_right(found):
        return [*lines_of(found), "All is right."]
    if not mend:
        return [*lines_of(found), "To put it right: pandora check --mend"]
    if is_right(left):
        return [*lines_of(found), "Mended: all is right now."]
    return [*lines_of(found), "Not all could be mended:", *lines_of(left)]


async def _found_and_left(mend: bool, *, show: bool) -> tuple[CheckReply, CheckReply]:
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


async def _asked(bus: Bus, request: Check, say: Callable[[int], None]) -> CheckReply:
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
