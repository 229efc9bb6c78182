"""The HTTP API of research: pages that were fetched, how their sources did, and what the work took."""

import re
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from services.gateway.admin import FOR_ADMINS
from services.gateway.domain.pages import PageView, view_of_page
from services.gateway.gateway import Gateway
from services.gateway.routes import REFUSALS
from shared.errors import Refused
from shared.events import Domain
from shared.replies import (
    MOST_DAYS,
    MOST_DOMAINS,
    FigureName,
    GetObservability,
    GetPage,
    GetSources,
    ListResearch,
    ObservabilityReply,
    SourcesReply,
)

_SHOWN_CHARACTERS: Final = 500
_ID = r"[A-Za-z0-9_-]{1,64}"


class PageList(msgspec.Struct, kw_only=True, frozen=True):
    pages: list[PageView]
    next_cursor: str | None


@get(
    "/research",
    responses=REFUSALS,
    summary="Pages that were fetched, by id",
    description="Some twenty at a time. Expired ones as well, for a month.",
)
async def get_research(
    gateway: Gateway,
    user: str,
    cursor: Annotated[str | None, Parameter(pattern=rf"^{_ID}$(?!\n)")] = None,
) -> PageList:
    reply = await gateway.ask(ListResearch(user=user, after=cursor or ""))
    return PageList(
        pages=[view_of_page(page, _SHOWN_CHARACTERS) for page in reply.pages],
        next_cursor=reply.pages[-1].research_id if reply.more else None,
    )


@get("/research/{research_id:str}", responses=REFUSALS, summary="One of them, with its whole text")
async def get_page(research_id: str, gateway: Gateway, user: str) -> PageView:
    if not re.fullmatch(_ID, research_id):
        raise Refused(404, f"there is no page {research_id[:64]}", "research_id")
    return view_of_page((await gateway.ask(GetPage(user=user, research_id=research_id))).page)


@get(
    "/sources",
    responses=REFUSALS,
    summary="How reliable domains are",
    description=f"1 to {MOST_DOMAINS} of them, each as a `domain` of its own. Counted over all users.",
)
async def get_sources(gateway: Gateway, user: str, domain: list[str] | None = None) -> SourcesReply:
    # Not by the type: Litestar does not name a parameter that is missing.
    if not domain or len(domain) > MOST_DOMAINS:
        raise Refused(422, f"name 1 to {MOST_DOMAINS} domains: ?domain=a.org&domain=b.org", "domain")
    return await gateway.ask(GetSources(domains=[_domain(one) for one in domain]))


@get(
    "/observability",
    responses=FOR_ADMINS,
    summary="What turns and their phases took, by day",
    description="Over all users, numbers only; the latest day first.",
)
async def get_observability(
    gateway: Gateway,
    admin: str,
    days: Annotated[int, Parameter(ge=1, le=MOST_DAYS)] = 7,
    name: FigureName | None = None,
) -> ObservabilityReply:
    return await gateway.ask(GetObservability(days=days, name=name))


def _domain(text: str) -> str:
    try:
        return msgspec.convert(text.lower(), Domain)
    except msgspec.ValidationError as error:
        raise Refused(422, f"{text[:80]!r} is no domain; write it like bees.example.org", "domain") from error


research_routes: list[HTTPRouteHandler] = [get_research, get_page, get_sources, get_observability]
