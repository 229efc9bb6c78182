"""`pandora import conversations` and `pandora import export`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal.options import Json

app = typer.Typer(help="Bring in what was said elsewhere.", no_args_is_help=True)


@app.command()
def conversations(
    file: Annotated[
        str, typer.Argument(help="NDJSON, or an export of ChatGPT or Claude; `-`: what comes in.")
    ],
    user: Annotated[str | None, typer.Option(help="Whose they are, where a line names no user.")] = None,
    as_json: Json = False,
) -> None:
    """Import messages; the same file again changes nothing. Exit status 1 where any are bad."""
    from cli.imports.conversations import import_conversations

    raise typer.Exit(0 if import_conversations(file, user, as_json=as_json) else 1)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="A zip that `pandora export` wrote.")],
    user: Annotated[str | None, typer.Option(help="Whose it becomes; for admins. Left out: yours.")] = None,
) -> None:
    """Import messages and memories of an export; again, it changes nothing.

    The documents of turns stay in the zip, for people to read. Exit status 1 where lines were not taken.
    """
    from cli.imports.exported import import_export

    raise typer.Exit(0 if import_export(file, user) else 1)
