"""The list of all built-in tools."""

from services.orchestrator.tools.built_in.calculator import calculator
from services.orchestrator.tools.built_in.clock_now import clock_now
from services.orchestrator.tools.built_in.content_search import content_search
from services.orchestrator.tools.built_in.memory_save import memory_save
from services.orchestrator.tools.built_in.memory_search import memory_search
from services.orchestrator.tools.built_in.research_fetch import research_fetch
from services.orchestrator.tools.built_in.turn_files import files_list, files_read
from services.orchestrator.tools.built_in.turns_search import turns_search
from services.orchestrator.tools.ports import (
    Clock,
    MemorySaving,
    MemorySearch,
    ResearchLog,
    SessionTurns,
    TurnFiles,
    Web,
)
from services.orchestrator.tools.tool import Tool


def built_in_tools(
    *,
    clock: Clock,
    search: MemorySearch,
    saving: MemorySaving,
    session: SessionTurns,
    files: TurnFiles,
    web: Web,
    log: ResearchLog,
) -> list[Tool]:
    return [
        clock_now(clock),
        calculator(),
        memory_search(search),
        memory_save(saving, clock),
        turns_search(search),
        content_search(),
        files_list(session, files),
        files_read(files),
        research_fetch(web, log),
    ]
