"""The `pandora` command: the commands of all rooms, and how their errors end."""

import sys

import typer

from cli.ask import commands as ask
from cli.config import commands as config
from cli.imports import commands as imports
from cli.memory import commands as memory
from cli.run import commands as run
from cli.terminal.failure import CommandFailed
from cli.terminal.output import print_error
from cli.upkeep import commands as upkeep

app = typer.Typer(
    help="Pandora: a lasting assistant out of a stateless model server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (run.app, ask.app, memory.app, upkeep.app, config.app):
    app.add_typer(commands)
app.add_typer(memory.memories, name="memories")
app.add_typer(memory.forget, name="forget")
app.add_typer(imports.app, name="import")
app.add_typer(upkeep.dead, name="dead")


def main() -> None:
    """Runs one command. An error that the user can correct is printed on stderr, without a traceback."""
    try:
        app()
    except CommandFailed as error:
        for line in (str(error), *error.tail):
            print_error(line)
        sys.exit(error.exit_status)
    except Exception as error:
        from shared.process.settings import SettingsError  # takes a quarter of a second to import

        if not isinstance(error, SettingsError):
            raise
        print_error(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
