"""The routes for admins. Each declares an ability that only admins have."""

from typing import Annotated

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from litestar.status_codes import HTTP_200_OK

from services.gateway.admin.dead_letters import (
    drop_dead_letter,
    get_dead_letter,
    get_dead_letters,
    replay_dead_letter,
)
from services.gateway.http.parameters import InjectedAsk
from services.gateway.http.responses import REFUSALS
from shared.contract.abilities import Ability
from shared.contract.requests import (
    MOST_DAYS,
    ArchiveTurns,
    ArchiveTurnsReply,
    FigureName,
    GetObservability,
    ObservabilityReply,
)

_ARCHIVE_SECONDS = 60.0


@post(
    "/admin/archive",
    ability=Ability.OPERATE_WRITE,
    status_code=HTTP_200_OK,
    responses=REFUSALS,
    summary="Compress turns that were not used for long",
    description="Works for about a second, oldest first. Repeat it while `left` is not 0.",
)
async def archive_turns(
    ask: InjectedAsk,
    older_than_days: Annotated[float | None, Parameter(ge=0, le=100_000)] = None,
    dry_run: bool = False,
) -> ArchiveTurnsReply:
    return await ask(ArchiveTurns(older_than_days=older_than_days, dry_run=dry_run), _ARCHIVE_SECONDS)


@get(
    "/observability",
    ability=Ability.OPERATE_READ,
    responses=REFUSALS,
    summary="What turns and their phases took, by day",
    description="Over all users, numbers only; the latest day first.",
)
async def get_observability(
    ask: InjectedAsk,
    days: Annotated[int, Parameter(ge=1, le=MOST_DAYS)] = 7,
    name: FigureName | None = None,
) -> ObservabilityReply:
    return await ask(GetObservability(days=days, name=name))


admin_routes: list[HTTPRouteHandler] = [
    archive_turns,
    get_observability,
    get_dead_letters,
    get_dead_letter,
    replay_dead_letter,
    drop_dead_letter,
]
