"""The tools that Pandora brings along."""

from services.orchestrator.tools.calculator import calculator
from services.orchestrator.tools.clock import clock_now
from services.orchestrator.tools.content_search import content_search
from services.orchestrator.tools.files import files_list, files_read
from services.orchestrator.tools.memory_save import memory_save
from services.orchestrator.tools.memory_search import memory_search
from services.orchestrator.tools.ports import (
    Clock,
    MemorySaving,
    MemorySearch,
    ResearchLog,
    SessionTurns,
    TurnFiles,
    Web,
)
from services.orchestrator.tools.research import research_fetch
from services.orchestrator.tools.tool import Tool
from services.orchestrator.tools.turns_search import turns_search


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
