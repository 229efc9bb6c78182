"""What a session said last, before it is indexed."""

from pathlib import Path
from tempfile import mkdtemp

from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.recent_turns import RecentTurns
from services.orchestrator.documents.rendering import documents_of
from shared.contract.requests import TurnRow
from tests.unit.samples import record, row, turn

NOWHERE = Path(mkdtemp(prefix="pandora-test-"))


def numbers(rows: list[TurnRow]) -> list[int]:
    return [one.turn_number for one in rows]


def ids(*numbers: int) -> list[str]:
    return [f"t{number}" for number in numbers]


async def test_a_turn_is_remembered_before_it_is_indexed(tmp_path: Path) -> None:
    recent = RecentTurns(FolderDocuments(tmp_path))
    recent.add(record(2))

    assert numbers(await recent.joined(turn("?", earlier=ids(2)), [row(1, "one")], limit=6)) == [1, 2]


async def test_a_turn_that_another_process_answered_is_read_from_its_folder(tmp_path: Path) -> None:
    documents = FolderDocuments(tmp_path)
    told = record(2, output="Lisbon.")
    await documents.write(2, "t2", documents_of(turn("Hi"), told, []))

    found = await RecentTurns(documents).joined(turn("?", earlier=ids(2)), [], limit=6)

    assert [(one.turn_number, one.output) for one in found] == [(2, "Lisbon.")]


async def test_a_turn_that_nobody_can_find_is_left_out(tmp_path: Path) -> None:
    assert await RecentTurns(FolderDocuments(tmp_path)).joined(turn("?", earlier=ids(2)), [], limit=6) == []


@given(
    st.lists(st.integers(1, 40), max_size=10, unique=True),
    st.lists(st.integers(1, 40), max_size=30, unique=True),
    st.integers(0, 25),
)
async def test_the_last_turns_come_in_order_each_once(here: list[int], stored: list[int], limit: int) -> None:
    recent = RecentTurns(FolderDocuments(NOWHERE))
    for number in here:
        recent.add(record(number))

    found = await recent.joined(turn("?", earlier=ids(*here)), [row(n) for n in stored], limit=limit)

    known = sorted({*here, *stored})
    assert numbers(found) == (known[-limit:] if limit else [])
