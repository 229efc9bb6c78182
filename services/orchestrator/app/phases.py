"""What the phases of every turn are given, as the settings choose it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from services.orchestrator.app.stores import Stores, now
from services.orchestrator.documents.reading import EndedTurns
from services.orchestrator.documents.recent_turns import RecentTurns
from services.orchestrator.images.pillow import PillowImages
from services.orchestrator.phases.deps import Deps, Limits
from services.orchestrator.phases.last_workers import LastWorkers
from services.orchestrator.phases.nats import BusMemory, BusModel
from services.orchestrator.recipes.recipe import ORDER
from services.orchestrator.recipes.toml import RecipeFiles
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.tools.built_in.registry import built_in_tools
from services.orchestrator.tools.custom import custom_tools
from services.orchestrator.tools.mcp import McpTools
from services.orchestrator.tools.mcp_servers import read_mcp_servers
from services.orchestrator.tools.nats import BusMemorySaving, BusMemorySearch
from services.orchestrator.tools.toolbox import Toolbox
from services.orchestrator.turn.run_state import TimeLimits
from services.orchestrator.web.http import WebReader
from services.orchestrator.web.nats import BusResearchLog
from shared.bus.connection import Bus

_ROOT = Path(__file__).parents[3]


@contextlib.asynccontextmanager
async def toolbox(settings: OrchestratorSettings, bus: Bus, stores: Stores) -> AsyncIterator[Toolbox]:
    """Raises SettingsError for a tool of one's own, or a server, that is written wrongly."""
    own = custom_tools(settings.tools_dir)
    async with McpTools(read_mcp_servers(settings.mcp_servers.get_secret_value())) as servers:
        brought = built_in_tools(
            clock=now,
            search=BusMemorySearch(bus),
            saving=BusMemorySaving(bus),
            session=BusMemory(bus),
            files=EndedTurns(stores.documents),
            web=WebReader(),
            log=BusResearchLog(bus, now),
        )
        yield Toolbox([*brought, *own], sets=[servers])


def phase_deps(
    settings: OrchestratorSettings, bus: Bus, stores: Stores, tools: Toolbox, workers: LastWorkers
) -> Deps:
    return Deps(
        memory=BusMemory(bus),
        model=BusModel(bus, silence_seconds=settings.engine_silence_seconds, workers=workers),
        documents=stores.documents,
        recent=RecentTurns(stores.documents),
        images=PillowImages(stores.files),
        limits=Limits(
            context_passages=settings.context_passages,
            context_budget_tokens=settings.context_budget_tokens,
            history_turns=settings.history_turns,
            history_budget_tokens=settings.history_budget_tokens,
            approval_seconds=settings.approval_timeout_seconds,
        ),
        tools=tools,
        recipes=RecipeFiles(
            settings.recipes_dir or _ROOT / "recipes",
            settings.roles_file or _ROOT / "roles.toml",
            settings.default_recipe,
            tools.allowed,
        ),
        clock=now,
    )


def time_limits(settings: OrchestratorSettings) -> TimeLimits:
    return TimeLimits(
        turn=settings.turn_timeout_seconds,
        phases={phase: getattr(settings, f"{phase}_timeout_seconds") for phase in ORDER},
    )
