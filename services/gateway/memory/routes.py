"""The routes of memory."""

from litestar.handlers import HTTPRouteHandler

from services.gateway.memory.memories import get_memories, get_memory, patch_memory, post_memory
from services.gateway.memory.research import get_page, get_research, get_sources
from services.gateway.memory.search import search

memory_routes: list[HTTPRouteHandler] = [
    search,
    post_memory,
    get_memories,
    get_memory,
    patch_memory,
    get_research,
    get_page,
    get_sources,
]
