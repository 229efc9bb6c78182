"""`pandora chat`."""

import asyncio
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def chat(
    session: Annotated[
        str | None,
        typer.Option(help="Session to go on with; left out: a new one, or that of a chat that crashed."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="The phases to go through, such as standard; left out: the default.")
    ] = None,
) -> None:
    """Talk: one message after another, each answered as it comes. /help lists what else it does."""
    from cli.chat.conversation import talk

    asyncio.run(talk(session, recipe))
