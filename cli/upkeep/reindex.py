"""`pandora reindex`: has the vectors made anew, and shows how far that is."""

import asyncio
from collections.abc import Sequence

import msgspec

from cli.terminal.output import print_json, print_text
from cli.terminal.progress import progress_bar
from cli.upkeep.bus import bus_to_indexer
from shared.bus.connection import Bus
from shared.contract.requests import Kind, Reindex, Reindexing, ReindexingReply

_LOOK_SECONDS = 0.5
_KINDS: dict[str, Kind] = {"turns": "turn", "memories": "memory", "research": "research"}
"""By the name of its collection."""


async def follow(collections: Sequence[str], *, watch: bool, as_json: bool) -> None:
    """Begins to make these collections anew, or all, and waits for the end. `watch`: begins nothing."""
    kinds = [_KINDS[one] for one in collections]
    async with bus_to_indexer() as bus:
        state: ReindexingReply = await bus.ask(Reindexing() if watch else Reindex(kinds=kinds))
        if as_json:
            print_json(msgspec.to_builtins(state))
        elif not state.running:
            print_text(f"Nothing is being built. {state.live} answers.")
        else:
            building = state.building
            state = await _until_built(bus, state)
            if state.live == building:
                print_text(f"{building} answers from here on.")
            else:
                print_text(f"{building} was given up; {state.live} answers. Another EMBEDDING_MODEL is set.")


async def _until_built(bus: Bus, state: ReindexingReply) -> ReindexingReply:
    building, total = state.building, state.total
    with progress_bar("rows") as progress:
        bar = progress.add_task("", total=None)
        while state.running and state.building == building:
            total = state.total or total
            progress.update(bar, completed=state.done, total=total or None)
            await asyncio.sleep(_LOOK_SECONDS)
            state = await bus.ask(Reindexing())
        if state.live == building:
            progress.update(bar, completed=total, total=total)
    return state
