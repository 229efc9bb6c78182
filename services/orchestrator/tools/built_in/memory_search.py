"""memory.search: finds facts, preferences and notes."""

from typing import Annotated

import msgspec

from services.orchestrator.tools.built_in.hits import result_of
from services.orchestrator.tools.ports import MemorySearch
from services.orchestrator.tools.tool import Caller, Tool, ToolResult, make_tool

Query = Annotated[
    str, msgspec.Meta(min_length=1, max_length=500, description="what to look for, in plain words")
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=20, description="most results")]


class SearchArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    query: Query
    limit: Limit = 5


def memory_search(memory: MemorySearch) -> Tool:
    async def search(arguments: SearchArguments, caller: Caller) -> ToolResult:
        hits = await memory.search(caller.user, arguments.query, "memory", limit=arguments.limit)
        return result_of(hits, "Nothing about that is remembered. turns.search looks through what was said.")

    return make_tool(
        "memory.search",
        "Finds what is known of the user that lasts: facts, preferences, notes.",
        "read",
        SearchArguments,
        search,
    )
