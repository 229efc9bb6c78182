"""content.search: says that there is no media catalogue yet."""

from services.orchestrator.tools.built_in.memory_search import SearchArguments
from services.orchestrator.tools.tool import Caller, Tool, make_tool


def content_search() -> Tool:
    async def search(arguments: SearchArguments, caller: Caller) -> str:
        return "There is no catalogue yet. turns.search and memory.search find what was said."

    return make_tool("content.search", "Searches the media catalogue.", "read", SearchArguments, search)
