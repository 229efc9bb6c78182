"""The HTTP API of the queue: a user's turns that have not ended."""

from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from services.gateway.domain.queue_views import QueueView
from services.gateway.gateway import Gateway
from services.gateway.routes import REFUSALS, Limit
from shared.replies import ListUnended, UnendedStatus


@get(
    "/queue",
    responses=REFUSALS,
    summary="A user's turns that wait or run, oldest first",
    description="Of a turn whose status is `waiting`, `calls` are those that a person has to allow.",
)
async def get_queue(
    gateway: Gateway,
    user: str,
    status: UnendedStatus | None = None,
    cursor: Annotated[str | None, Parameter(pattern=r"^[1-9]\d{0,17}$(?!\n)")] = None,
    limit: Limit = 20,
) -> QueueView:
    return await gateway.queue(
        ListUnended(user=user, status=status, after=int(cursor) if cursor else 0, limit=limit)
    )


queue_routes: list[HTTPRouteHandler] = [get_queue]
