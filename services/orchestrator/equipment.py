"""What turns are run with, as the settings choose it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from services.orchestrator.adapters.folder import FolderDocuments
from services.orchestrator.adapters.folder_files import FolderFiles
from services.orchestrator.adapters.mcp import McpTools
from services.orchestrator.adapters.nats import BusAnnouncements, BusMemory, BusModel
from services.orchestrator.adapters.nats_research import BusResearchLog
from services.orchestrator.adapters.nats_tools import ArchivedFiles, BusMemorySaving, BusMemorySearch
from services.orchestrator.adapters.pillow_pictures import PillowImages
from services.orchestrator.adapters.recipe_files import RecipeFiles
from services.orchestrator.adapters.web import WebReader
from services.orchestrator.approvals import Approvals
from services.orchestrator.archive import Archive
from services.orchestrator.domain.recipes import ORDER
from services.orchestrator.phases.ahead import Ahead
from services.orchestrator.phases.deps import Clock, Deps, Limits
from services.orchestrator.recent import RecentTurns
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.steps import TimeLimits
from services.orchestrator.stopping import Stopping
from services.orchestrator.tools.builtin import built_in_tools
from services.orchestrator.tools.own import own_tools
from services.orchestrator.tools.registry import Toolbox
from services.orchestrator.tools.servers import read_mcp_servers
from shared.bus import Bus

_ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def toolbox(
    settings: OrchestratorSettings, bus: Bus, documents: FolderDocuments, clock: Clock
) -> AsyncIterator[Toolbox]:
    """Raises SettingsError for a tool of one's own, or a server, that is written wrongly."""
    own = own_tools(settings.tools_dir)
    async with McpTools(read_mcp_servers(settings.mcp_servers.get_secret_value())) as servers:
        brought = built_in_tools(
            clock=clock,
            search=BusMemorySearch(bus),
            saving=BusMemorySaving(bus),
            session=BusMemory(bus),
            files=ArchivedFiles(Archive(documents)),
            web=WebReader(),
            log=BusResearchLog(bus, clock),
        )
        yield Toolbox([*brought, *own], sets=[servers])


def equipment(
    settings: OrchestratorSettings,
    bus: Bus,
    documents: FolderDocuments,
    files: FolderFiles,
    tools: Toolbox,
    clock: Clock,
) -> Deps:
    """Of no turn yet: each run brings what is its own."""
    return Deps(
        memory=BusMemory(bus),
        model=BusModel(bus, silence_seconds=settings.engine_silence_seconds),
        announcements=BusAnnouncements(bus),
        documents=documents,
        recent=RecentTurns(documents),
        images=PillowImages(files),
        limits=Limits(
            context_passages=settings.context_passages,
            context_budget_tokens=settings.context_budget_tokens,
            history_turns=settings.history_turns,
            approval_seconds=settings.approval_timeout_seconds,
        ),
        tools=tools,
        recipes=RecipeFiles(
            settings.recipes_dir or _ROOT / "recipes",
            settings.roles_file or _ROOT / "roles.toml",
            settings.default_recipe,
            tools.allowed,
        ),
        clock=clock,
        stopping=Stopping(),
        ahead=Ahead(),
        approvals=Approvals.none(),
    )


def time_limits(settings: OrchestratorSettings) -> TimeLimits:
    return TimeLimits(
        turn=settings.turn_timeout_seconds,
        phases={phase: getattr(settings, f"{phase}_timeout_seconds") for phase in ORDER},
    )
