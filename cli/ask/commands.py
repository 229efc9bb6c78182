"""`pandora ask`, `pandora approve`, `pandora deny` and `pandora cancel`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.terminal.failure import CommandFailed
from cli.terminal.options import Json

app = typer.Typer()
TurnId = Annotated[str, typer.Argument(help="The turn that waits; left out: lists those that do.")]
Call = Annotated[str, typer.Option(help="Key of one call; left out: all that wait.")]


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="What to say.")],
    session: Annotated[str | None, typer.Option(help="Session to go on with; left out: a new one.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="The phases to go through, such as standard; left out: the default.")
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(help="A PNG, JPEG, WebP or GIF to talk about; may be given up to 8 times."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say something; the answer is shown as it comes, then the earlier turns that it stands on."""
    from cli.ask.answer import ask_and_show
    from cli.ask.turn import Asked, how_to_find
    from cli.client.address import gateway_url

    asked = Asked(text, session, recipe)
    try:
        asyncio.run(ask_and_show(asked, image or [], as_json=as_json))
    except KeyboardInterrupt:
        raise CommandFailed(f"\nLeft. {how_to_find(gateway_url(), asked)}", 130) from None


@app.command()
def approve(turn_id: TurnId = "", call: Call = "", as_json: Json = False) -> None:
    """Allow a tool call that a turn waits for; the turn goes on. Without a turn: lists those that wait."""
    _answer(turn_id, call, as_json, allow=True)


@app.command()
def deny(turn_id: TurnId = "", call: Call = "", as_json: Json = False) -> None:
    """Forbid a tool call that a turn waits for; the turn goes on without it. Without a turn: lists them."""
    _answer(turn_id, call, as_json, allow=False)


def _answer(turn_id: str, call: str, as_json: bool, *, allow: bool) -> None:
    from cli.ask.approvals import answer_waiting
    from cli.ask.queue import list_waiting

    if turn_id:
        asyncio.run(answer_waiting(turn_id, call, allow=allow, as_json=as_json))
    elif call:
        raise CommandFailed(f"--call {call} is a key of one turn's call. Give the id of the turn as well.")
    else:
        asyncio.run(list_waiting(as_json=as_json))


@app.command()
def cancel(
    turn_id: Annotated[str, typer.Argument(help="The turn to stop; `pandora ask` says its id.")],
    as_json: Json = False,
) -> None:
    """Stop a turn, whether it waits or runs. Exit status 1 where it had ended."""
    from cli.ask.queue import cancel_turn

    is_done = asyncio.run(cancel_turn(turn_id, as_json=as_json))
    raise typer.Exit(0 if is_done else 1)
