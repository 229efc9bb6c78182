"""files.list and files.read: the documents of the user's own ended turns."""

from typing import Annotated

import msgspec

from services.orchestrator.tools.built_in.hits import LONGEST_QUOTE
from services.orchestrator.tools.ports import SessionTurns, TurnFiles
from services.orchestrator.tools.tool import Caller, Tool, ToolLimits, ToolResult, ToolSource, make_tool
from shared.contract.errors import Refused
from shared.contract.events import TurnId
from shared.language.shortening import shortened

_PAGE_CHARACTERS = 12_000


class ListArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    turns: Annotated[int, msgspec.Meta(ge=1, le=20, description="how many of the session's last turns")] = 5


class ReadArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    turn_id: Annotated[TurnId, msgspec.Meta(description="as files.list and turns.search show it")]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128, description="like response.md")]
    start: Annotated[int, msgspec.Meta(ge=0, description="characters to leave out, of a long document")] = 0


def files_list(session: SessionTurns, files: TurnFiles) -> Tool:
    async def list_files(arguments: ListArguments, caller: Caller) -> str:
        lines = []
        for row in await session.last_turns(caller.user, caller.session_id, limit=arguments.turns):
            try:
                names = await files.names(caller.user, row.turn_id)
            except Refused:  # The turn was forgotten in the meantime.
                continue
            lines.append(f"turn {row.turn_number} (turn_id {row.turn_id}): {', '.join(sorted(names))}")
            lines += [shortened(image.words, LONGEST_QUOTE) for image in row.images]
        return "\n".join(lines) or "This session has no ended turns yet."

    return make_tool(
        "files.list",
        "Lists the documents of this session's last turns, and what their images show.",
        "read",
        ListArguments,
        list_files,
    )


def files_read(files: TurnFiles) -> Tool:
    async def read_file(arguments: ReadArguments, caller: Caller) -> ToolResult:
        document = await files.read(caller.user, arguments.turn_id, arguments.name)
        page = document.text[arguments.start : arguments.start + _PAGE_CHARACTERS]
        end = arguments.start + len(page)
        more = end < len(document.text)
        note = f"\n[it goes on: start={end}, of {len(document.text)} characters]" if more else ""
        source = ToolSource(
            name=f"{document.name} of turn {arguments.turn_id}",
            turn_id=arguments.turn_id,
            quote=shortened(page[:1000], LONGEST_QUOTE),
        )
        text = (
            page + note if page else f"{document.name} has {len(document.text)} characters, none behind that."
        )
        return ToolResult(text=text, sources=[source], is_cut=more)

    return make_tool(
        "files.read",
        "Reads one document of an ended turn: context.md has all of it, response.md the answer.",
        "read",
        ReadArguments,
        read_file,
        limits=ToolLimits(result_characters=_PAGE_CHARACTERS + 200),
    )
