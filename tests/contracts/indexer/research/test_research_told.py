"""Pages that are told: what is fresh, what is held of a user, one by its id."""

from typing import Any

import pytest

from services.indexer.research.pages import row_of
from services.indexer.research.postgres.pages import PostgresResearchTable
from shared.contract.errors import Refused
from shared.contract.events import SourceObserved, encode
from shared.contract.requests import GetPage, ListResearch, Page
from tests.contracts.indexer.generations.generations_room import Process
from tests.contracts.indexer.research.research_room import HOUR, NOW, WEEK, fresh, keep, page

# --- what is fresh ---


async def test_what_is_fresh_is_told_by_address_topic_or_meaning(process: Process) -> None:
    await process.sources.on_source_observed(
        SourceObserved(observation_id="o1", user="alice", domain="bees.example.org", ok=True, at=NOW)
    )
    await keep(
        process,
        page(1, "bees and honey", primary_topic="How do bees make honey?", quality_overall=0.4),
        page(2, "tax", primary_topic="how do bees make honey?", quality_overall=0.8),
        page(3, "roses in the sun", primary_topic="gardens"),
    )

    (one,) = await fresh(process, url="https://bees.example.org/3")
    assert (one.research_id, one.text, one.similarity) == ("r3", "roses in the sun", 1.0)
    assert one.reliability == pytest.approx(2 / 3, abs=1e-4)
    assert (one.turn_id, one.turn_number, one.quality_overall) == ("t7", 7, 0.5)
    same = await fresh(process, query="How do bees make honey?")
    assert [(page.research_id, page.similarity) for page in same] == [("r2", 1.0), ("r1", 1.0)]
    alike = await fresh(process, query="sun and roses")
    assert [page.research_id for page in alike] == ["r3"]
    assert alike[0].similarity == pytest.approx(1.0, abs=1e-3)
    assert await fresh(process, query="lisbon") == []
    assert len(await fresh(process, query="honey", least_similarity=0.0)) == 3
    assert len(await fresh(process, query="How do bees make honey?", limit=1)) == 1
    assert await fresh(process, url="https://bees.example.org/4") == []


async def test_long_pages_are_told_as_far_as_there_is_room(process: Process) -> None:
    await keep(process, *[page(n, f"bees {n} " + "x" * 60_000) for n in range(4)])

    assert len(await fresh(process, query="keeping bees")) == 2


async def test_all_that_is_held_of_a_user_is_listed(process: Process) -> None:
    """Long and short ones, and one that has expired."""
    texts = {f"r{n:02}": "x" * (60_000 if n % 3 == 0 else 10) for n in range(30)}
    kept = [page(n, text, research_id=name) for n, (name, text) in enumerate(texts.items())]
    kept[7] = page(7, "old", research_id="r07", fetched_at=NOW - WEEK, expires_at=NOW - HOUR)
    table = PostgresResearchTable(process.database)
    for one in [*kept, page(1, "bees of bob", user="bob")]:
        await table.add(row_of(one))

    listed: list[Page] = []
    more = True
    while more:
        after = listed[-1].research_id if listed else ""
        reply = await process.pages.list_pages(ListResearch(user="alice", after=after))
        assert reply.pages
        assert len(encode(reply)) < 1024 * 1024
        listed += reply.pages
        more = reply.more

    assert {one.research_id: one.text for one in listed} == texts | {"r07": "old"}
    assert [one.research_id for one in listed] == sorted(texts)
    assert (await process.pages.list_pages(ListResearch(user="carol"))).pages == []


async def test_a_page_is_told_by_its_id_until_its_row_goes(process: Process) -> None:
    """The one that was fetched before and has expired as well, with its whole text."""
    long = "bees " * 13_000
    await keep(process, page(1, long), page(2, "new", url="https://bees.example.org/1", fetched_at=NOW))
    past = page(3, "old", fetched_at=NOW - WEEK, expires_at=NOW - HOUR)
    await PostgresResearchTable(process.database).add(row_of(past))

    told = [
        (await process.pages.get_page(GetPage(user="alice", research_id=name))).page.text
        for name in ("r1", "r2", "r3")
    ]

    assert told == [long, "new", "old"]
    for user, name in (("bob", "r1"), ("alice", "r4")):
        with pytest.raises(Refused) as refused:
            await process.pages.get_page(GetPage(user=user, research_id=name))
        assert (refused.value.status, refused.value.field) == (404, "research_id")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "query"),
        ({"query": " "}, "query"),
        ({"query": "bees", "url": "https://bees.example.org/1"}, "query"),
        ({"query": "bees", "limit": 0}, "limit"),
        ({"query": "bees", "limit": 21}, "limit"),
    ],
)
async def test_what_cannot_be_asked_is_refused(process: Process, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        await fresh(process, **asked)
    assert refusal.value.field == field
