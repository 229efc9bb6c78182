"""Fetched pages over HTTP, and how reliable their sources are."""

import re
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.params import Parameter

from services.gateway.http.parameters import Call, InjectedAsk
from services.gateway.http.responses import REFUSALS
from services.gateway.memory.pages import PageView, view_of_page
from shared.contract.abilities import Ability
from shared.contract.errors import Refused
from shared.contract.events import Domain
from shared.contract.requests import MOST_DOMAINS, GetPage, GetSources, ListResearch, SourcesReply

_SHOWN_CHARACTERS: Final = 500
_ID = r"[A-Za-z0-9_-]{1,64}"


class PageList(msgspec.Struct, kw_only=True, frozen=True):
    pages: list[PageView]
    next_cursor: str | None


@get(
    "/research",
    ability=Ability.MEMORY_READ,
    responses=REFUSALS,
    summary="Pages that were fetched, by id",
    description="Some twenty at a time; for a month also those that have expired.",
)
async def get_research(
    request: Call,
    ask: InjectedAsk,
    cursor: Annotated[str | None, Parameter(pattern=rf"^{_ID}$(?!\n)")] = None,
) -> PageList:
    reply = await ask(ListResearch(user=request.user.name, after=cursor or ""))
    return PageList(
        pages=[view_of_page(page, _SHOWN_CHARACTERS) for page in reply.pages],
        next_cursor=reply.pages[-1].research_id if reply.more else None,
    )


@get(
    "/research/{research_id:str}",
    ability=Ability.MEMORY_READ,
    responses=REFUSALS,
    summary="One of them, with its whole text",
)
async def get_page(research_id: str, request: Call, ask: InjectedAsk) -> PageView:
    if not re.fullmatch(_ID, research_id):
        raise Refused(404, f"there is no page {research_id[:64]}", "research_id")
    reply = await ask(GetPage(user=request.user.name, research_id=research_id))
    return view_of_page(reply.page)


@get(
    "/sources",
    ability=Ability.MEMORY_READ,
    responses=REFUSALS,
    summary="How reliable domains are",
    description=f"1 to {MOST_DOMAINS} of them, each as a `domain` of its own. Counted over all users.",
)
async def get_sources(ask: InjectedAsk, domain: list[str] | None = None) -> SourcesReply:
    # Checked here and not by the type: Litestar does not name a parameter that is missing.
    if not domain or len(domain) > MOST_DOMAINS:
        raise Refused(422, f"name 1 to {MOST_DOMAINS} domains: ?domain=a.org&domain=b.org", "domain")
    return await ask(GetSources(domains=[_domain(one) for one in domain]))


def _domain(text: str) -> str:
    try:
        return msgspec.convert(text.lower(), Domain)
    except msgspec.ValidationError as error:
        raise Refused(422, f"{text[:80]!r} is no domain; write it like bees.example.org", "domain") from error
