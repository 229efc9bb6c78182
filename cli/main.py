"""The `pandora` command: the commands of all rooms, and how their errors end."""

import sys

import typer

from cli.ask import commands as ask
from cli.bench import commands as bench
from cli.chat import commands as chat
from cli.config import commands as config
from cli.imports import commands as imports
from cli.keys import commands as keys
from cli.mcp import commands as mcp
from cli.memory import commands as memory
from cli.run import commands as run
from cli.terminal.failure import CommandFailed
from cli.terminal.output import allow_any_encoding, print_error, print_note
from cli.upkeep import commands as upkeep

_WARNS = ("up", "status", "config")
_BY_SETTINGS_ALONE = ("up", "config")

app = typer.Typer(
    help="Pandora: a lasting assistant out of a stateless model server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for commands in (run.app, ask.app, chat.app, bench.app, mcp.app, memory.app, upkeep.app, config.app):
    app.add_typer(commands)
app.add_typer(memory.memories, name="memories")
app.add_typer(memory.forget, name="forget")
app.add_typer(imports.app, name="import")
app.add_typer(upkeep.dead, name="dead")
app.add_typer(keys.app, name="keys")
app.add_typer(upkeep.nats, name="nats")


@app.callback()
def before_each(context: typer.Context) -> None:
    command = context.invoked_subcommand
    if command in _WARNS:
        from cli.config.unread import unread_names  # takes half a second to import

        for line in unread_names():
            print_note(line)
    if command not in _BY_SETTINGS_ALONE:
        from cli.client.installation import adopt_addresses

        adopt_addresses()


def main() -> None:
    """Runs one command. An error that the user can correct is printed on stderr, without a traceback."""
    allow_any_encoding()
    try:
        app()
    except CommandFailed as error:
        for line in (str(error), *error.tail):
            print_error(line)
        sys.exit(error.exit_status)
    except UnicodeEncodeError as error:  # Of an argument whose bytes are no text.
        print_error(
            f"{error.object!r} is not UTF-8 and cannot be sent. "
            "Set your terminal to UTF-8, such as LANG=C.UTF-8."
        )
        sys.exit(2)
    except Exception as error:
        from shared.process.environment import SettingsError  # `--help` needs no settings

        if not isinstance(error, SettingsError):
            raise
        print_error(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
