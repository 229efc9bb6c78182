"""`pandora memories`, `pandora forget`, `pandora export` and `pandora archive`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.terminal.failure import CommandFailed
from cli.terminal.options import Json

app = typer.Typer()
memories = typer.Typer(help="Facts, preferences and notes: list, add, show, forget.")
forget = typer.Typer(
    help="Forget a turn, a session, a memory or all of a user, for good.", no_args_is_help=True
)

_PAGE = 100
MemoryId = Annotated[str, typer.Argument(help="Id from `pandora memories`, or its first letters.")]
Kind = Annotated[str | None, typer.Option(help="fact, preference or note.")]
Subject = Annotated[str | None, typer.Option(help="About whom: user, or a name.")]
ReceiptJson = Annotated[bool, typer.Option("--json", help="Print the receipt as JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Now = Annotated[bool, typer.Option("--now", help="Erase its bytes at once, and wait until they are gone.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for it.")]


# --- zips ---


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The zip to write.")],
    user: Annotated[str | None, typer.Option(help="Whose; for admins. Left out: your own.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write all that is held of you, messages, memories, images and the documents of turns, into a zip."""
    from cli.memory.exports import write_export

    if file.exists() and not force:
        raise CommandFailed(f"{file} is there already. Name another file, or write over it with --force.")
    try:
        write_export(file, user)
    except KeyboardInterrupt:
        raise CommandFailed(f"\nLeft; {file} is not written.", 130) from None


@app.command()
def archive(
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Days without use; left out: ARCHIVE_AFTER_DAYS.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
) -> None:
    """Compress the documents of turns that were not used for long; they are read as before. For admins."""
    from cli.memory.archive import archive_turns

    asyncio.run(archive_turns(older_than, dry_run=dry_run))


# --- memories ---


@memories.callback(invoke_without_command=True)
def list_memories(
    context: typer.Context,
    as_of: Annotated[str | None, typer.Option(help="What held then, such as 2026-03-14.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Also what is outdated.")] = False,
    kind: Kind = None,
    subject: Subject = None,
    words: Annotated[str | None, typer.Option(help="Words that the text has.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, help="Most memories to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the last page ended.")] = None,
    as_json: Json = False,
) -> None:
    """Show what is known, the latest first."""
    if context.invoked_subcommand is not None:
        return
    from cli.memory.memories import list_page

    given = {"as_of": as_of, "kind": kind, "subject": subject, "q": words, "cursor": cursor}
    asked = {name: value for name, value in given.items() if value} | {"limit": str(limit)}
    if history:
        asked["history"] = "true"
    asyncio.run(list_page(asked, as_json=as_json))


@memories.command()
def add(
    text: Annotated[str, typer.Argument(help='What to remember, such as "I live in Porto".')],
    kind: Kind = None,
    subject: Subject = None,
    attribute: Annotated[str | None, typer.Option(help="home, employer, favourite colour ...")] = None,
    value: Annotated[str | None, typer.Option(help="The bare value.")] = None,
    as_json: Json = False,
) -> None:
    """Remember something."""
    from cli.memory.memories import add_memory

    given = {"text": text, "kind": kind, "subject": subject, "attribute": attribute, "value": value}
    asyncio.run(add_memory({name: one for name, one in given.items() if one is not None}, as_json=as_json))


@memories.command()
def show(memory_id: MemoryId, as_json: Json = False) -> None:
    """Show one memory: since when, how surely, and where it is known from."""
    from cli.memory.memories import show_memory

    asyncio.run(show_memory(memory_id, as_json=as_json))


@memories.command("forget")
def forget_listed(
    memory_id: MemoryId, now: Now = False, no_wait: NoWait = False, as_json: Json = False
) -> None:
    """Forget one memory, for good: as `pandora forget memory`."""
    from cli.memory.forgetting import carry_out, memory_path
    from cli.memory.memories import whole_id

    carry_out(memory_path(asyncio.run(whole_id(memory_id))), now=now, no_wait=no_wait, as_json=as_json)


# --- forget ---


@forget.command()
def turn(
    turn_id: str, yes: Yes = False, now: Now = False, no_wait: NoWait = False, as_json: ReceiptJson = False
) -> None:
    """Forget one turn, and the answers that stood on it."""
    from cli.memory.forgetting import carry_out, confirm, turn_path

    confirm(f"turn {turn_id}", yes)
    carry_out(turn_path(turn_id), now=now, no_wait=no_wait, as_json=as_json)


@forget.command()
def session(
    session_id: Annotated[str, typer.Argument(help="Its name. One that begins with `-`: after `--`.")],
    yes: Yes = False,
    now: Now = False,
    no_wait: NoWait = False,
    as_json: ReceiptJson = False,
) -> None:
    """Forget a session: its turns, or its imported messages."""
    from cli.memory.forgetting import carry_out, confirm, session_path, size_of

    confirm(f"session {session_id}{'' if yes else size_of(session_id)}", yes)
    carry_out(session_path(session_id), now=now, no_wait=no_wait, as_json=as_json)


@forget.command()
def memory(memory_id: str, now: Now = False, no_wait: NoWait = False, as_json: ReceiptJson = False) -> None:
    """Forget one memory, without asking."""
    from cli.memory.forgetting import carry_out, memory_path

    carry_out(memory_path(memory_id), now=now, no_wait=no_wait, as_json=as_json)


@forget.command()
def user(
    name: Annotated[str, typer.Argument(help="Left out: yourself. Others need an admin's key.")] = "me",
    yes: Yes = False,
    now: Now = False,
    no_wait: NoWait = False,
    as_json: ReceiptJson = False,
) -> None:
    """Forget all that is held of a user."""
    from cli.memory.forgetting import carry_out, confirm, size_of, user_path

    is_own = name == "me"
    size = size_of(None) if is_own and not yes else ""
    confirm(f"all that is held of {'you' if is_own else name}{size}", yes)
    carry_out(user_path(name), now=now, no_wait=no_wait, as_json=as_json)


@forget.command()
def receipt(
    forget_id: str,
    name: Annotated[str, typer.Option("--user", help="Whose; for admins. Left out: your own.")] = "me",
    as_json: ReceiptJson = False,
) -> None:
    """Show how far a request is."""
    from cli.memory.forgetting import show_receipt

    asyncio.run(show_receipt(name, forget_id, as_json=as_json))
