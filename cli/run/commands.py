"""`pandora up`, `pandora down` and `pandora logs`."""

from typing import Annotated

import typer

from deploy.local.order import PARTS

app = typer.Typer()
LOGS = (*PARTS, "launcher")


@app.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Run in the background; return when ready.")
    ] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Three NATS servers that keep each stream together, for trials.")
    ] = False,
) -> None:
    """Start everything, and stop it again with Ctrl-C."""
    from cli.run.background import launch_in_background
    from cli.run.launcher import launch
    from deploy.local.nats import as_cluster
    from deploy.local.settings import load_stack

    settings = as_cluster(load_stack()) if cluster else load_stack()
    if not detach:
        raise typer.Exit(launch(settings))
    launch_in_background(settings)


@app.command()
def down() -> None:
    """Stop what `pandora up` started."""
    from cli.run.background import stop
    from cli.run.run_folder import RunFolder
    from deploy.local.settings import LocalSettings
    from shared.process.settings import load

    settings = load(LocalSettings)
    stop(RunFolder(settings.pandora_data_dir), settings.stop_timeout_seconds)


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help=f"One of {', '.join(LOGS)}; left out: all.")] = None,
    keep_on: Annotated[
        bool, typer.Option("--follow", "-f", help="Show what is added, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of each log.")] = 20,
) -> None:
    """Show the last lines of the logs."""
    from cli.run.logs import print_logs

    print_logs([service] if service else [], LOGS, lines, keep_on=keep_on)
