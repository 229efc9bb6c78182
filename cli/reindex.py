"""`pandora reindex`: has the vectors made anew, and shows how far that is."""

import asyncio
import json
from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from cli.upkeep import bus_to_indexer
from shared.replies import Kind, Reindex, Reindexing, ReindexingReply

_LOOK_SECONDS = 0.5
console = Console()
errors = Console(stderr=True)


class Collection(StrEnum):
    turns = "turns"
    memories = "memories"
    research = "research"


_KINDS: dict[Collection, Kind] = {
    Collection.turns: "turn",
    Collection.memories: "memory",
    Collection.research: "research",
}


def reindex(
    collection: Annotated[
        list[Collection] | None, typer.Option(help="Only this one; may be given again. Left out: all.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Begin nothing; show what is being built, if anything is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs; do not wait.")] = False,
) -> None:
    """Make the vectors anew from PostgreSQL, beside those that answer. Ctrl-C leaves it going."""
    kinds = [_KINDS[one] for one in collection or []]
    try:
        asyncio.run(_reindex(Reindexing() if watch else Reindex(kinds=kinds), as_json))
    except KeyboardInterrupt:
        _tell("\nLeft. The indexer goes on, also after a restart. To look again: pandora reindex --watch")
        raise typer.Exit(130) from None


async def _reindex(request: Reindex | Reindexing, as_json: bool) -> None:
    async with bus_to_indexer() as bus:
        state: ReindexingReply = await bus.ask(request)
        if as_json:
            _print(json.dumps(msgspec.to_builtins(state), indent=2))
            return
        if not state.running:
            _print(f"Nothing is being built. {state.live} answers.")
            return
        building, total = state.building, state.total
        columns = (BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
        with Progress(*columns, console=errors) as progress:
            bar = progress.add_task("", total=None)
            while state.running and state.building == building:
                total = state.total or total
                progress.update(bar, completed=state.done, total=total or None)
                await asyncio.sleep(_LOOK_SECONDS)
                state = await bus.ask(Reindexing())
            if state.live == building:
                progress.update(bar, completed=total, total=total)
        if state.live == building:
            _print(f"{building} answers from here on.")
        else:
            _print(f"{building} was given up; {state.live} answers. Another EMBEDDING_MODEL is set.")


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} rows/s")


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _tell(text: str) -> None:
    errors.print(text, markup=False, highlight=False, soft_wrap=True)
