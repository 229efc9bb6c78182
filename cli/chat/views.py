"""What the commands of a chat show: sessions, memories, what an answer stands on."""

from typing import Any
from urllib.parse import quote

from cli.ask.answer import origin_of
from cli.client.gateway import own_gateway
from cli.memory.memories import list_page
from cli.terminal.output import console, plain_table, print_note, print_text

_SESSIONS = 20
_MEMORIES = 20


async def show_sessions(current: str) -> list[str]:
    """Prints the latest sessions, and returns their ids in that order. Raises CommandFailed."""
    async with own_gateway() as gateway:
        found = (await gateway.call("GET", f"/v1/sessions?limit={_SESSIONS}"))["sessions"]
    if not found:
        print_note("There is no session yet.")
        return []
    table = plain_table("", "last", "messages", "topic", "session", right=("", "messages"))
    for number, one in enumerate(found, 1):
        mark = f"{'*' if one['session_id'] == current else ''}{number}"
        at = one["last_at"][:16].replace("T", " ")
        table.add_row(mark, at, str(one["messages"]), one["last_topic"], one["session_id"])
    console.print(table)
    print_note("To go on with one: /sessions and its number.")
    return [str(one["session_id"]) for one in found]


async def show_memories(words: str) -> None:
    """Prints what is known, with these words in it. Raises CommandFailed."""
    await list_page({"limit": str(_MEMORIES)} | ({"q": words} if words else {}), as_json=False)


async def show_why(turn_id: str) -> None:
    """Prints what an answer stands on, and how it was made. Raises CommandFailed."""
    async with own_gateway() as gateway:
        turn = await gateway.call("GET", f"/v1/turns/{quote(turn_id, safe='')}")
    if not turn["sources"]:
        print_text("It stands on nothing that was said before, is known or was read.")
    for source in turn["sources"]:
        _print_source(source)
    for note in turn["notes"] or ():
        print_note(note)
    phases = ", ".join(f"{phase['phase']} {phase['seconds']:.2f} s" for phase in turn["phases"] or ())
    print_note(f"recipe {turn['recipe']}, model {turn['model']}; {phases}")
    print_note(f"More of it: GET /v1/turns/{turn_id}/documents")


def _print_source(source: dict[str, Any]) -> None:
    print_text(origin_of(source))
    if source["quote"]:
        print_text(f"  “{source['quote']}”")
    told = {"said at": (source.get("at") or "")[:19], "turn": source.get("turn_id"), "in": source.get("url")}
    about = [f"{name} {value}" for name, value in told.items() if value]
    if about:
        print_note(f"  {', '.join(about)}")
