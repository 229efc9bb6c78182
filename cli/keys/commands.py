"""`pandora keys`: who may ask the gateway for what."""

import asyncio
from typing import Annotated

import typer

from cli.terminal.options import Json

app = typer.Typer(help="Keys of the gateway: create, list, rotate, revoke.", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(help="Id from `pandora keys list`.")]


@app.command()
def create(
    user: Annotated[str, typer.Option(help="Whose key it is.")],
    role: Annotated[
        str, typer.Option(help="What it may do: as a user, operator, service or admin.")
    ] = "user",
    scope: Annotated[
        list[str] | None, typer.Option(help="Of the role, only this; may be given again.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Until it expires. Left out: never.")
    ] = None,
    label: Annotated[str, typer.Option(help="What it is for; `list` shows it.")] = "",
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once. Gateways take it within a second."""
    from cli.keys.keys import create_key

    asyncio.run(create_key(user, role, scopes=scope or [], days=days, label=label, as_json=as_json))


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """Show every key: whose it is, its role, its state. Never the key itself."""
    from cli.keys.keys import show_keys

    asyncio.run(show_keys(as_json=as_json))


@app.command()
def rotate(
    key_id: KeyId,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=24 * 365, help="How long the old key is valid as well.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Print another key of the same id, user, role and scopes. The old one ends."""
    from cli.keys.keys import rotate_key

    asyncio.run(rotate_key(key_id, overlap_hours=overlap_hours, as_json=as_json))


@app.command()
def revoke(
    key_id: KeyId,
    erase: Annotated[bool, typer.Option("--erase", help="Remove its row from the list as well.")] = False,
) -> None:
    """End a key: gateways refuse it within a second. May be said again."""
    from cli.keys.keys import revoke_key

    asyncio.run(revoke_key(key_id, erase=erase))
