"""turns.search: finds what was said in earlier turns and in imported conversations."""

from services.orchestrator.tools.built_in.hits import result_of
from services.orchestrator.tools.built_in.memory_search import SearchArguments
from services.orchestrator.tools.ports import MemorySearch
from services.orchestrator.tools.tool import Caller, Tool, ToolResult, make_tool


def turns_search(memory: MemorySearch) -> Tool:
    async def search(arguments: SearchArguments, caller: Caller) -> ToolResult:
        hits = await memory.search(caller.user, arguments.query, "turn", limit=arguments.limit)
        others = [hit for hit in hits if hit.turn_id != caller.turn_id]
        return result_of(others, "Nothing like that was said in earlier turns.")

    return make_tool(
        "turns.search",
        "Finds what the user and the assistant said in earlier conversations. "
        "files.read opens what it finds by its turn_id.",
        "read",
        SearchArguments,
        search,
    )
