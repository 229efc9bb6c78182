"""Pages that were fetched, over a real PostgreSQL and a real Qdrant Edge."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.indexer import filling
from services.indexer.adapters.postgres_research import PostgresResearchTable
from services.indexer.domain.pages import point_of, row_of
from services.indexer.research import Research
from shared.errors import Poison, Refused
from shared.events import ForgetRequested, ForgetScope, ResearchSaved, SourceObserved, encode
from shared.memories import Statement
from shared.replies import FreshResearch, GetPage, Hit, ListResearch, Page, Reindex, SaveMemory, Search
from tests.contracts.generations_room import Installation, Process, is_right, tell
from tests.unit.samples import fetched

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)


@pytest.fixture
def installation(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(filling, "PAGE_ROWS", 8)
    return Installation(database, tmp_path / "qdrant")


@pytest.fixture
async def process(installation: Installation) -> AsyncIterator[Process]:
    async with installation.started(runs=False) as started:
        yield started


def page(number: int, text: str, **more: Any) -> ResearchSaved:
    fields = {"fetched_at": NOW - HOUR, "expires_at": NOW + WEEK, "requested_at": NOW - 2 * HOUR, **more}
    return fetched(number, text, **fields)


async def keep(process: Process, *pages: ResearchSaved) -> None:
    for one in pages:
        await process.research.on_research_saved(one)


async def hits(process: Process, query: str, user: str = "alice", **more: Any) -> list[Hit]:
    asked = Search(user=user, query=query, **{"kinds": ["research"], **more})
    return (await process.searching.search(asked)).hits


async def fresh(process: Process, user: str = "alice", **asked: Any) -> list[Page]:
    return (await process.research.fresh(FreshResearch(user=user, **asked))).pages


def at(process: Process, now: datetime) -> Research:
    """The same, at another time."""
    table = PostgresResearchTable(process.database)
    return Research(table, process.sources, process.generations, lambda: now)


async def points(process: Process) -> int:
    return await process.generations.indexes["research"].count()


# --- being found -------------------------------------------------------------------------------------------


async def test_a_page_is_found_among_messages_and_says_where_it_is_from(process: Process) -> None:
    await tell(process, ["honey and roses", "tax and sun"])
    await keep(process, page(1, "Mira sells honey in Lisbon", title="Markets"), page(2, "The tax of the sun"))

    found = await hits(process, "honey in Lisbon", kinds=["turn", "research"], explain=True)

    assert (found[0].kind, found[0].id, found[0].text) == (
        "research",
        "r1",
        "Markets\nMira sells honey in Lisbon",
    )
    assert (found[0].url, found[0].speaker) == ("https://bees.example.org/1", "bees.example.org")
    assert found[0].input == found[0].text
    assert found[0].highlights == ["Mira sells honey in Lisbon"]
    assert {hit.kind for hit in found} == {"research", "turn"}
    for hit in found:
        assert hit.explain is not None
        assert sum(one.value * one.weight for one in hit.explain.values()) == pytest.approx(
            hit.score, abs=1e-5
        )


async def test_of_a_long_page_the_part_that_was_found_is_shown(process: Process) -> None:
    text = "Bees. " + "and so on and on " * 60 + "Roses. " + "or whatever " * 150 + "Lisbon."
    await keep(process, page(1, text))

    assert await points(process) > 3
    for word in ("Bees", "Roses", "Lisbon"):
        (hit,) = await hits(process, word)
        assert f"{word}." in hit.text
        assert len(hit.text.split()) <= 160


async def test_nobody_else_finds_a_page(process: Process) -> None:
    await keep(process, page(1, "bees of alice"), page(1, "bees of bob", user="bob"))

    assert [hit.text for hit in await hits(process, "bees")] == ["bees of alice"]
    assert [hit.text for hit in await hits(process, "bees", "bob")] == ["bees of bob"]
    assert await hits(process, "bees", "carol") == []
    assert await fresh(process, "carol", url="https://bees.example.org/1") == []


async def test_what_a_reliable_domain_says_goes_before_the_same_from_another(process: Process) -> None:
    for n in range(8):
        for domain, ok in (("good.example.org", True), ("bad.example.org", False)):
            observed = SourceObserved(
                observation_id=f"{domain[:3]}{n}", user="alice", domain=domain, ok=ok, at=NOW
            )
            await process.sources.on_source_observed(observed)
    await keep(
        process,
        page(1, "bees like roses now", domain="bad.example.org"),
        page(2, "bees like roses too", domain="good.example.org"),
        page(3, "bees like roses also", domain="new.example.org"),
    )

    found = await hits(process, "bees and roses", explain=True)

    assert [hit.id for hit in found] == ["r2", "r3", "r1"]
    values = [hit.explain["reliability"].value for hit in found if hit.explain]
    assert values == pytest.approx([0.9, 0.5, 0.1])


async def test_a_page_and_a_memory_under_one_id_are_two_hits(process: Process) -> None:
    await keep(process, page(1, "bees in the sun"))
    statement = Statement(text="roses in the sun", kind="fact")
    await process.memories.save(SaveMemory(user="alice", statement=statement, memory_id="r1"))

    found = await hits(process, "sun", kinds=["memory", "research"])

    assert {(hit.kind, hit.id) for hit in found} == {("memory", "r1"), ("research", "r1")}


# --- what comes again --------------------------------------------------------------------------------------


async def test_the_same_page_again_changes_nothing(process: Process, installation: Installation) -> None:
    await keep(process, page(1, "bees " * 400))
    computed, count = len(installation.models["old"].computed), await points(process)

    await keep(process, page(1, "bees " * 400))

    assert (len(installation.models["old"].computed), await points(process)) == (computed, count)


async def test_a_page_that_two_indexers_take_at_once_is_there_once(process: Process) -> None:
    table = PostgresResearchTable(process.database)
    later = [page(1, f"roses {n}", fetched_at=NOW - HOUR + timedelta(minutes=n)) for n in range(8)]

    await asyncio.gather(*(table.add(row_of(one)) for one in later * 3))

    assert await rows(process) == ["r1"]
    assert [one.text for one in await fresh(process, url="https://bees.example.org/1")] == ["roses 7"]


async def test_a_page_that_was_fetched_anew_takes_the_place_of_the_old_one(process: Process) -> None:
    """Also where the older one is delivered last, and under another id."""
    new = page(1, "roses now", fetched_at=NOW)
    await keep(process, page(1, "bees " * 400), new, page(1, "bees " * 400))

    assert [hit.text for hit in await hits(process, "bees roses")] == ["roses now"]
    assert await points(process) == 1

    await keep(process, page(9, "honey now", url=new.url, fetched_at=NOW + HOUR))
    assert [hit.text for hit in await hits(process, "honey bees roses")] == ["honey now"]
    assert [one.research_id for one in await fresh(process, url=new.url)] == ["r9"]


async def test_a_page_whose_points_were_never_written_is_indexed_when_it_comes_again(
    process: Process, installation: Installation
) -> None:
    broken = page(1, "bees in Lisbon")
    model = installation.models["old"]
    await PostgresResearchTable(process.database).add(row_of(broken))
    assert await hits(process, "bees") == []
    assert model.computed == []

    await keep(process, broken)

    assert [hit.id for hit in await hits(process, "bees")] == ["r1"]


@pytest.mark.parametrize("text", ["bees\0roses", "\N{HONEYBEE}", "?!", "a" * 65_536])
async def test_any_text_is_kept(process: Process, text: str) -> None:
    await keep(
        process, page(1, text, title="\0", primary_topic="\0bees", content_types=["\0"], doc_path="\0")
    )

    (kept,) = await fresh(process, url="https://bees.example.org/1")

    assert kept.text == text.replace("\0", "\N{REPLACEMENT CHARACTER}")


async def test_a_page_that_can_never_be_stored_is_poison(process: Process) -> None:
    with pytest.raises(Poison, match="expires_at"):
        await keep(process, page(1, "bees", expires_at=NOW - WEEK))
    with pytest.raises(Poison):
        await keep(process, page(1, "bees", turn_number=2**70))


# --- what is fresh -----------------------------------------------------------------------------------------


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
        reply = await process.research.list_pages(ListResearch(user="alice", after=after))
        assert reply.pages
        assert len(encode(reply)) < 1024 * 1024
        listed += reply.pages
        more = reply.more

    assert {one.research_id: one.text for one in listed} == texts | {"r07": "old"}
    assert [one.research_id for one in listed] == sorted(texts)
    assert (await process.research.list_pages(ListResearch(user="carol"))).pages == []


async def test_a_page_is_told_by_its_id_until_its_row_goes(process: Process) -> None:
    """The one that was fetched before and has expired as well, with its whole text."""
    long = "bees " * 13_000
    await keep(process, page(1, long), page(2, "new", url="https://bees.example.org/1", fetched_at=NOW))
    past = page(3, "old", fetched_at=NOW - WEEK, expires_at=NOW - HOUR)
    await PostgresResearchTable(process.database).add(row_of(past))

    told = [
        (await process.research.get_page(GetPage(user="alice", research_id=name))).page.text
        for name in ("r1", "r2", "r3")
    ]

    assert told == [long, "new", "old"]
    for user, name in (("bob", "r1"), ("alice", "r4")):
        with pytest.raises(Refused) as refused:
            await process.research.get_page(GetPage(user=user, research_id=name))
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


# --- what expires ------------------------------------------------------------------------------------------


async def test_an_expired_page_is_not_found_and_its_points_and_row_go(process: Process) -> None:
    await keep(process, page(1, "bees " * 400), page(2, "bees for longer", expires_at=NOW + 9 * WEEK))
    assert len(await hits(process, "bees")) == 2
    later = at(process, NOW + 2 * WEEK)
    ids = [point_of("alice", one) for one in ("r1", "r2")]

    assert set(await later.of("alice", ids)) == {ids[1]}
    told = await later.fresh(FreshResearch(user="alice", query="keeping bees"))
    assert [one.research_id for one in told.pages] == ["r2"]

    await later.sweep()
    assert await points(process) == 1
    assert await rows(process) == ["r1", "r2"], "its row is kept for a month"
    await at(process, NOW + 6 * WEEK).sweep()
    assert await rows(process) == ["r2"]
    assert [hit.id for hit in await hits(process, "bees")] == ["r2"]


async def test_a_page_that_has_expired_when_it_comes_is_not_indexed(process: Process) -> None:
    await keep(process, page(1, "bees", fetched_at=NOW - WEEK, expires_at=NOW - HOUR))

    assert await points(process) == 0
    assert await hits(process, "bees") == []
    assert is_right(await process.checked())


async def test_an_expired_page_that_is_fetched_again_is_found_again(process: Process) -> None:
    await keep(process, page(1, "bees"))
    await at(process, NOW + 2 * WEEK).sweep()
    assert await points(process) == 0

    await keep(process, page(1, "bees again", fetched_at=NOW, expires_at=NOW + 3 * WEEK))

    assert [hit.text for hit in await hits(process, "bees")] == ["bees again"]


async def rows(process: Process) -> list[str]:
    records = await process.database.fetch("SELECT research_id FROM pandora.research ORDER BY research_id")
    return [record[0] for record in records]


# --- upkeep ------------------------------------------------------------------------------------------------


async def test_pages_are_made_anew_for_another_model(installation: Installation) -> None:
    async with installation.started("old") as process:
        await keep(process, page(1, "bees " * 300 + "lisbon"), *[page(n, f"roses {n}") for n in range(2, 12)])
    async with installation.started("new") as process:
        await process.until_switched("new-v1-2")
        assert is_right(await process.checked())
        assert (await hits(process, "lisbon"))[0].id == "r1"
        assert len(await hits(process, "roses", limit=20)) == 11

        await process.reindexer.reindex(Reindex(kinds=["research"]))
        await process.until_switched("new-v1-3")
        assert is_right(await process.checked())
        assert (await hits(process, "lisbon"))[0].id == "r1"


async def test_a_check_mends_pages(process: Process) -> None:
    await keep(process, *[page(n, f"bees {n}") for n in range(20)])
    index = process.generations.indexes["research"]
    await index.drop([point_of("alice", f"r{n}") for n in (1, 2)])
    await process.database.fetch("DELETE FROM pandora.research WHERE research_id = 'r3'")
    await process.database.fetch(
        "UPDATE pandora.research SET text = 'roses', indexed = false WHERE research_id = 'r4'"
    )

    (found,) = [one for one in (await process.checked()).kinds if one.kind == "research"]
    assert (found.rows, found.rows_without_points, found.points_without_rows) == (19, 3, 1)
    await process.checked(mend=True)

    assert is_right(await process.checked())
    assert [hit.id for hit in await hits(process, "roses", limit=1)] == ["r4"]
    assert len(await hits(process, "bees", limit=50)) == 19


# --- forgetting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "target", "left"),
    [
        ("turn", "t7", ["r2", "r3", "r4"]),
        ("session", "kitchen", ["r3", "r4"]),
        ("user", "", ["r3"]),
        ("memory", "r1", ["r1", "r2", "r3", "r4"]),
    ],
)
async def test_pages_of_what_is_forgotten_go(
    process: Process, scope: ForgetScope, target: str, left: list[str]
) -> None:
    await keep(
        process,
        page(1, "bees", fetched_at=NOW),
        page(2, "bees 2", turn_id="t8"),
        page(3, "bees 3", turn_id="t9", requested_at=NOW),
        page(4, "bees 4", turn_id=None, session_id=None, requested_at=None),
        page(5, "bees 5", user="bob"),
    )
    order = ForgetRequested(
        forget_id="f1", user="alice", scope=scope, target=target, requested_at=NOW - HOUR / 2
    )

    assert await process.research.forget(order) == 4 - len(left)

    assert sorted(hit.id for hit in await hits(process, "bees")) == left
    assert await points(process) == len(left) + 1
    assert [hit.id for hit in await hits(process, "bees", "bob")] == ["r5"]
    assert await process.research.forget(order) == 0
    assert is_right(await process.checked())


async def test_one_page_that_was_forgotten_while_it_was_written_goes(process: Process) -> None:
    await keep(process, page(1, "bees"), page(2, "bees 2"))

    await process.research.forget_page("alice", "r1")

    assert [hit.id for hit in await hits(process, "bees")] == ["r2"]
    assert await points(process) == 1
