"""`pandora status`, `reindex`, `check`, `migrate`, `nats` and `dead`."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.terminal.failure import CommandFailed
from cli.terminal.options import Json

app = typer.Typer()
nats = typer.Typer(help="Who may connect to NATS.", no_args_is_help=True)
users = typer.Typer()
nats.add_typer(users, name="users")
dead = typer.Typer(help="What was given up: list, show, replay, drop.", no_args_is_help=True)

_PAGE = 100
User = Annotated[str, typer.Argument(help="The user, as API_KEYS and messages name it.")]
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


@users.callback(invoke_without_command=True)
def users_of_nats(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Where to write it. Left out: in NATS_USERS_DIR, next to the seeds.")
    ] = None,
) -> None:
    """For a server of your own: make the seeds of the services, and the part of its configuration."""
    if context.invoked_subcommand is None:
        from cli.upkeep.nats_users import write

        write(config)


@users.command("list")
def list_users() -> None:
    """Show the users whose programs may connect."""
    from cli.upkeep.nats_users import show

    show()


@users.command()
def add(user: User) -> None:
    """Make credentials for a user's own programs: they reach this user's turns and memory alone."""
    from cli.upkeep import nats_users

    nats_users.add(user)


@users.command()
def remove(user: User) -> None:
    """Take a user's credentials back; connections that have them end."""
    from cli.upkeep import nats_users

    nats_users.remove(user)


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
