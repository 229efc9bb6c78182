"""`pandora config`."""

import sys
from typing import Annotated

import typer

from cli.terminal.options import Json

app = typer.Typer()


@app.command()
def config(
    as_json: Json = False,
    example: Annotated[bool, typer.Option("--example", help="Print .env.example.")] = False,
) -> None:
    """Show every setting, its value and where it came from."""
    from cli.config.env_example import render_example
    from cli.config.settings import show_settings

    if example:
        sys.stdout.write(render_example())
    else:
        show_settings(as_json=as_json)
