"""memory.save: stores a statement of the user as a memory."""

from typing import Annotated, Final
from uuid import UUID, uuid5

import msgspec

from services.orchestrator.tools.ports import Clock, MemorySaving
from services.orchestrator.tools.tool import Caller, Tool, ToolResult, ToolSource, make_tool
from shared.contract.memories import USER, MemoryKind, Statement

_NAMESPACE: Final = UUID("5d0e4a52-6f1e-4a8e-9a6e-2f4c1d9a7b10")
_CONFIDENCE: Final = 0.8
"""A model understood the user: more certain than the reflector's guesses, less than a plain statement."""


class SaveArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[
        str, msgspec.Meta(min_length=1, max_length=1000, description="one sentence: I live in Porto.")
    ]
    kind: Annotated[MemoryKind, msgspec.Meta(description="what sort of thing it is")] = "note"
    subject: Annotated[
        str, msgspec.Meta(min_length=1, max_length=128, description="`user`, or the name of whom it is about")
    ] = USER
    attribute: Annotated[
        str, msgspec.Meta(max_length=128, description="home, employer, likes ... or empty")
    ] = ""
    value: Annotated[str, msgspec.Meta(max_length=1000, description="the bare value, like Porto")] = ""


def memory_save(memory: MemorySaving, clock: Clock) -> Tool:
    async def save(arguments: SaveArguments, caller: Caller) -> ToolResult:
        statement = Statement(
            text=arguments.text,
            kind=arguments.kind,
            subject=arguments.subject,
            attribute=arguments.attribute,
            value=arguments.value,
            confidence=_CONFIDENCE,
            made_by="tool",
            said_at=clock(),
            turn_id=caller.turn_id,
            session_id=caller.session_id[:128],
            message_ids=[f"{caller.turn_id}:user"],
        )
        saved = await memory.save(caller.user, statement, _memory_id(arguments, caller))
        disputed = " It contradicts something else that is known." if saved.contradicts else ""
        source = ToolSource(
            name="memory",
            turn_id=caller.turn_id,
            message_ids=statement.message_ids,
            quote=saved.text,
            at=saved.last_confirmed_at,
        )
        return ToolResult(text=f"Saved as a {saved.kind}: {saved.text}{disputed}", sources=[source])

    return make_tool(
        "memory.save",
        "Remembers a lasting fact, preference or note that the user stated or asked to keep.",
        "write",
        SaveArguments,
        save,
    )


def _memory_id(arguments: SaveArguments, caller: Caller) -> str:
    """The same words of one turn get the same id, so a turn that runs again saves nothing twice."""
    words = (caller.user, caller.turn_id, arguments.subject, arguments.attribute, arguments.text)
    return str(uuid5(_NAMESPACE, "\n".join(words)))
