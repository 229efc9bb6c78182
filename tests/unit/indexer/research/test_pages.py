"""Pages as rows, as what is searched, and as hits."""

from datetime import UTC, datetime, timedelta

import pytest

from services.indexer.memories.memory import point_of as point_of_memory
from services.indexer.passages.passage import part_of
from services.indexer.research.pages import hit_of, page_passages, point_of, row_of
from shared.contract.errors import Poison
from tests.unit.samples import AT, fetched

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"expires_at": AT}, "expires_at"),
        ({"fetched_at": datetime(1, 1, 1, tzinfo=UTC)}, "fetched_at"),
        ({"expires_at": datetime(9999, 1, 1, tzinfo=UTC)}, "expires_at"),
        ({"published_at": datetime(1, 1, 1, tzinfo=UTC)}, "published_at"),
        ({"requested_at": datetime(9999, 1, 1, tzinfo=UTC)}, "requested_at"),
    ],
)
def test_a_page_that_can_never_be_stored_is_poison_that_names_the_field(
    wrong: dict[str, datetime], named: str
) -> None:
    with pytest.raises(Poison, match=f"^{named}"):
        row_of(fetched(1, "Bees", **wrong))


def test_a_page_began_with_its_turn_or_when_it_was_fetched() -> None:
    assert row_of(fetched(1, "Bees", fetched_at=AT + HOUR)).began_at == AT
    assert row_of(fetched(1, "Bees", fetched_at=AT + HOUR, requested_at=None)).began_at == AT + HOUR


def test_the_title_is_searched_once() -> None:
    assert row_of(fetched(1, "Oxalic acid", title="Varroa")).whole_text == "Varroa\nOxalic acid"
    assert row_of(fetched(1, "Varroa\nOxalic acid", title=" Varroa ")).whole_text == "Varroa\nOxalic acid"
    assert row_of(fetched(1, "Oxalic acid")).whole_text == "Oxalic acid"


def test_a_long_page_has_parts_that_a_number_finds_again() -> None:
    row = row_of(fetched(1, " ".join(f"word{n}" for n in range(400)), title="Varroa"))
    passages = page_passages(row)

    assert len(passages) == 3
    assert [part_of(row.whole_text, one.part) for one in passages] == [one.text for one in passages]
    assert part_of(row.whole_text, 99) == passages[0].text
    assert {one.message.point_id for one in passages} == {row.point_id}
    assert passages[0].id == row.point_id
    assert passages[1].before.startswith("bees.example.org: Varroa")
    assert passages[0].words.startswith("bees.example.org: Varroa")


def test_a_page_and_a_memory_of_one_id_are_two_points() -> None:
    assert point_of("alice", "r1") != point_of_memory("alice", "r1")
    assert point_of("alice", "r1") != point_of("bob", "r1")


def test_a_hit_names_its_domain_and_its_address_and_the_day_that_the_page_names() -> None:
    hit = hit_of(row_of(fetched(1, "Oxalic acid", title="Varroa", published_at=AT - HOUR)))

    assert (hit.kind, hit.id, hit.speaker, hit.url) == (
        "research",
        "r1",
        "bees.example.org",
        "https://bees.example.org/1",
    )
    assert hit.at == AT - HOUR
    assert (hit.turn_id, hit.turn_number) == ("t7", None), "it is named after its domain, not after a turn"
