"""Pages, sources and figures over HTTP, in front of an indexer of a few lines."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from shared.bus.connection import Bus
from shared.bus.endpoints import endpoint, endpoints_of
from shared.contract.errors import Refused
from shared.contract.requests import (
    GetObservability,
    GetPage,
    GetSources,
    ListResearch,
    ListResearchReply,
    ObservabilityReply,
    PageReply,
    SourceRow,
    SourcesReply,
)
from tests.contracts.gateway.gateway_room import Client, gateway_over_http
from tests.contracts.messages.sampled_research import OBSERVED_ROW, PAGE, SOURCE_ROW
from tests.servers.nats import bus_to

LONG = "Oxalic acid \N{HONEYBEE} " * 1000
PAGES = {
    f"r{number}": msgspec.structs.replace(PAGE, research_id=f"r{number}", text=LONG) for number in range(5)
}
"""Of alice. Other users have none."""


class Shelf:
    """Holds pages, two to an answer, and notes which figures it was asked for."""

    def __init__(self) -> None:
        self.figures: list[GetObservability] = []

    @endpoint
    async def pages(self, request: ListResearch) -> ListResearchReply:
        left = [page for page in PAGES.values() if page.research_id > request.after]
        held = left if request.user == "alice" else []
        return ListResearchReply(pages=held[:2], more=len(held) > 2)

    @endpoint
    async def page(self, request: GetPage) -> PageReply:
        if request.user != "alice" or request.research_id not in PAGES:
            raise Refused(404, f"there is no page {request.research_id}", "research_id")
        return PageReply(page=PAGES[request.research_id])

    @endpoint
    async def sources(self, request: GetSources) -> SourcesReply:
        known = {SOURCE_ROW.domain: SOURCE_ROW}
        return SourcesReply(sources=[known.get(one) or SourceRow(domain=one) for one in request.domains])

    @endpoint
    async def observability(self, request: GetObservability) -> ObservabilityReply:
        self.figures.append(request)
        return ObservabilityReply(rows=[OBSERVED_ROW])


@pytest.fixture
async def shelf(url: str) -> AsyncIterator[Shelf]:
    answers = Shelf()
    async with bus_to(url, "indexer") as indexer:
        await indexer.serve("a few lines", endpoints_of(answers))
        yield answers


@pytest.fixture
async def client(bus: Bus, shelf: Shelf) -> AsyncIterator[Client]:
    async with gateway_over_http(bus, admin_users="alice") as connected:
        yield connected


# --- pages ---


async def test_all_pages_of_a_user_are_listed_with_the_beginning_of_their_texts(client: Client) -> None:
    listed, cursor = [], ""
    while cursor is not None:
        status, answer = await client.call("GET", f"/v1/research{cursor and '?cursor='}{cursor}")
        assert status == 200, answer
        listed += answer["pages"]
        cursor = answer["next_cursor"]

    assert [page["research_id"] for page in listed] == list(PAGES)
    assert {page["text"] for page in listed} == {LONG[:500]}
    assert {page["characters"] for page in listed} == {len(LONG)}


async def test_a_page_is_read_whole_by_its_id(client: Client) -> None:
    status, page = await client.call("GET", "/v1/research/r3")

    assert status == 200
    assert page.pop("characters") == len(LONG)
    assert page | {"similarity": PAGE.similarity} == msgspec.to_builtins(PAGES["r3"])


async def test_pages_are_their_users_own(client: Client) -> None:
    listed = await client.call("GET", "/v1/research", user="bob")
    status, problem = await client.call("GET", "/v1/research/r3", user="bob")

    assert listed == (200, {"pages": [], "next_cursor": None})
    assert (status, problem["field"]) == (404, "research_id")


@pytest.mark.parametrize("name", ["r9", "r%0A", "a.b", "x" * 65])
async def test_a_page_that_is_not_there_is_404(client: Client, name: str) -> None:
    status, problem = await client.call("GET", f"/v1/research/{name}")

    assert (status, problem["field"]) == (404, "research_id")


@pytest.mark.parametrize("cursor", ["", "a.b", "r1%0A", "x" * 65])
async def test_a_cursor_that_is_none_is_named(client: Client, cursor: str) -> None:
    status, problem = await client.call("GET", f"/v1/research?cursor={cursor}")

    assert (status, problem["field"]) == (422, "cursor")


# --- sources ---


async def test_domains_are_told_in_the_order_in_which_they_were_named(client: Client) -> None:
    status, answer = await client.call(
        "GET", "/v1/sources?domain=new.example.org&domain=Bees.Example.org", user="bob"
    )

    assert status == 200
    assert [one["domain"] for one in answer["sources"]] == ["new.example.org", "bees.example.org"]
    assert [one["reliability_score"] for one in answer["sources"]] == [0.5, 0.75]
    assert answer["sources"][1] == msgspec.to_builtins(SOURCE_ROW)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?domain=",
        "?domain=bees.example.org&domain=two%20words",
        "?domain=a.org%0A",
        "?" + "&".join(f"domain=d{number}.org" for number in range(101)),
    ],
)
async def test_what_is_no_list_of_domains_is_named(client: Client, query: str) -> None:
    status, problem = await client.call("GET", f"/v1/sources{query}")

    assert (status, problem["field"]) == (422, "domain"), problem


# --- figures ---


async def test_an_admin_reads_what_the_work_took(client: Client, shelf: Shelf) -> None:
    status, answer = await client.call("GET", "/v1/observability?days=30&name=phase_seconds")
    await client.call("GET", "/v1/observability")

    assert (status, answer) == (200, {"rows": [msgspec.to_builtins(OBSERVED_ROW)]})
    assert shelf.figures == [GetObservability(days=30, name="phase_seconds"), GetObservability(days=7)]


async def test_figures_of_all_users_are_for_admins(client: Client, shelf: Shelf) -> None:
    status, problem = await client.call("GET", "/v1/observability", user="bob")

    assert (status, problem["title"]) == (403, "Not allowed with this key")
    assert shelf.figures == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("days=0", "days"),
        ("days=367", "days"),
        ("days=week", "days"),
        ("days=1.5", "days"),
        ("name=", "name"),
        ("name=Phase%20seconds", "name"),
        ("name=phase%0A", "name"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_named(client: Client, query: str, field: str) -> None:
    status, problem = await client.call("GET", f"/v1/observability?{query}")

    assert (status, problem["field"]) == (422, field)


async def test_an_indexer_that_is_away_is_503(bus: Bus) -> None:
    async with gateway_over_http(bus, hold_seconds=0.0, admin_users="alice") as client:
        for path in ("/v1/research", "/v1/research/r1", "/v1/sources?domain=a.org", "/v1/observability"):
            assert (await client.call("GET", path))[0] == 503
