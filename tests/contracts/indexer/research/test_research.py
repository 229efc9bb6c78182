"""Pages that were fetched, over a real PostgreSQL and a real Qdrant Edge: how they are found and kept."""

import asyncio
from datetime import timedelta

import pytest

from services.indexer.research.pages import row_of
from services.indexer.research.postgres.pages import PostgresResearchTable
from shared.contract.errors import Poison
from shared.contract.events import SourceObserved
from shared.contract.memories import Statement
from shared.contract.requests import SaveMemory
from tests.contracts.indexer.generations.generations_room import Installation, Process, tell
from tests.contracts.indexer.research.research_room import (
    HOUR,
    NOW,
    WEEK,
    fresh,
    hits,
    keep,
    page,
    points,
    rows,
)

# --- being found ---


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


# --- what comes again ---


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
