"""When the bytes of what is forgotten are erased: at once where that is asked for, else many together."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.forgetting.receipts import new_receipt
from shared.contract.events import ForgetRequested
from shared.contract.requests import Receipt
from tests.unit.orchestrator.forgetting.forgetting_room import LATER, World, erasing_of, forget, write
from tests.unit.samples import record


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(FolderDocuments(tmp_path / "turns"), tmp_path)


def order(number: int, *, now: bool = False) -> ForgetRequested:
    return ForgetRequested(
        forget_id=f"f{number}", user="alice", scope="turn", target="t1", requested_at=LATER, now=now
    )


async def test_a_request_is_forgotten_at_once_and_its_bytes_go_within_a_day(world: World) -> None:
    await write(world.documents, record(1))

    receipt = await forget(world, "turn", "t1", now=False)

    assert (receipt.state, receipt.turns) == ("forgotten", ["t1"])
    assert receipt.erased_by == LATER + timedelta(hours=24)
    assert "erase rows" not in world.steps


async def test_what_is_asked_for_at_once_erases_what_was_put_off_as_well(world: World) -> None:
    put_off = await forget(world, "turn", "t1", now=False)
    world.receipts = {"f0": msgspec.structs.replace(put_off, forget_id="f0")}

    receipt = await forget(world, "turn", "t1", now=True)

    assert receipt.state == "erased"
    assert {one.state for one in world.receipts.values()} == {"erased"}


async def test_many_requests_are_erased_together_when_the_first_is_due(world: World) -> None:
    erasing = erasing_of(world)
    world.now = LATER
    assert not await erasing.is_due()
    for number in range(1, 4):
        world.receipts[f"f{number}"] = _forgotten(number)

    world.now = LATER + timedelta(hours=17)
    assert not await erasing.is_due()
    world.now = LATER + timedelta(hours=18)
    assert await erasing.is_due()
    await erasing.erase()

    assert [one.state for one in world.receipts.values()] == ["erased"] * 3
    assert (world.steps.count("erase rows"), world.steps.count("erase streams")) == (1, 1)
    assert not await erasing.is_due()


@pytest.mark.parametrize(("hours", "now", "seconds"), [(24, False, 86_400), (24, True, 60), (0, False, 60)])
def test_the_receipt_says_when_the_bytes_are_gone(
    world: World, hours: float, now: bool, seconds: float
) -> None:
    assert erasing_of(world, hours=hours).within(order(1, now=now)) == timedelta(seconds=seconds)


def _forgotten(number: int) -> Receipt:
    return msgspec.structs.replace(new_receipt(order(number), LATER), state="forgotten")
