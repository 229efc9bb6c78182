"""`pandora status`, `pandora reindex`, `pandora check`, `pandora migrate` and `pandora dead`."""

import asyncio
import sys
from enum import StrEnum
from typing import Annotated

import typer

from cli.terminal.failure import CommandFailed
from cli.terminal.options import Json

app = typer.Typer()
dead = typer.Typer(help="What was given up: list, show, replay, drop.", no_args_is_help=True)

_PAGE = 100
Number = Annotated[int, typer.Argument(min=1, help="Number from `pandora dead list`.")]


class Collection(StrEnum):
    turns = "turns"
    memories = "memories"
    research = "research"


@app.command()
def status(as_json: Json = False) -> None:
    """Show each part, the queues, the engine and the memory. Exit status 1 unless all is ready."""
    from cli.upkeep.status import show_status

    raise typer.Exit(0 if asyncio.run(show_status(as_json=as_json)) else 1)


@app.command()
def reindex(
    collection: Annotated[
        list[Collection] | None, typer.Option(help="Only this one; may be given again. Left out: all.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Begin nothing; show what is being built, if anything is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs; do not wait.")] = False,
) -> None:
    """Make the vectors anew from PostgreSQL; the old ones answer meanwhile. Ctrl-C leaves it going."""
    from cli.upkeep.reindex import follow

    try:
        asyncio.run(follow([one.value for one in collection or []], watch=watch, as_json=as_json))
    except KeyboardInterrupt:
        raise CommandFailed(
            "\nLeft. The indexer goes on, also after a restart. To look again: pandora reindex --watch", 130
        ) from None


@app.command()
def check(
    mend: Annotated[bool, typer.Option("--mend", help="Put right what is not.")] = False,
    as_json: Json = False,
) -> None:
    """Look for rows without points and points without rows. Exit status 1 where something is wrong."""
    from cli.upkeep.check import look

    raise typer.Exit(0 if asyncio.run(look(mend=mend, as_json=as_json)) else 1)


@app.command()
def migrate() -> None:
    """Bring the database to this version; the indexer does so itself at its start."""
    from shared.process.programs import run_program

    status, _ = asyncio.run(run_program(sys.executable, "-m", "services.indexer.postgres"))
    raise typer.Exit(status)


# --- dead letters ---


@dead.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="Most letters to show.")] = 20,
    after: Annotated[int, typer.Option(min=0, help="Show those after this number.")] = 0,
    as_json: Json = False,
) -> None:
    """Show what was given up, oldest first."""
    from cli.upkeep.dead_letters import list_page

    asyncio.run(list_page(after=after, limit=limit, as_json=as_json))


@dead.command()
def show(number: Number, as_json: Json = False) -> None:
    """Show one letter: why it was given up, its headers, its body."""
    from cli.upkeep.dead_letters import show_letter

    asyncio.run(show_letter(number, as_json=as_json))


@dead.command()
def replay(
    numbers: Annotated[
        list[int] | None, typer.Argument(min=1, help="Numbers from `pandora dead list`.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every letter that there is now.")] = False,
    as_json: Json = False,
) -> None:
    """Hand messages to their durables once more, and remove their letters. May be said again."""
    from cli.upkeep.dead_letters import DeadLetters, settle

    if every == bool(numbers):
        raise CommandFailed("Say which: `pandora dead replay 12 13`, or `pandora dead replay --all`.")
    is_done = asyncio.run(settle(DeadLetters.replay, numbers, "replayed", as_json=as_json))
    raise typer.Exit(0 if is_done else 1)


@dead.command()
def drop(numbers: Annotated[list[int], typer.Argument(min=1)], as_json: Json = False) -> None:
    """Remove letters for good; their messages are lost."""
    from cli.upkeep.dead_letters import DeadLetters, settle

    is_done = asyncio.run(settle(DeadLetters.drop, numbers, "dropped", as_json=as_json))
    raise typer.Exit(0 if is_done else 1)
