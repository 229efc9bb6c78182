"""A checkpoint as commit 74b5a28 wrote it: the turn waits for a person, in its second round of tools."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.orchestrator.queue.lease import Lease
from services.orchestrator.turn.approval import waiting
from services.orchestrator.turn.state import Turn
from shared.contract.events import TurnSaved
from shared.contract.requests import Control
from tests.contracts.messages.test_events import only_what_is_in
from tests.unit.orchestrator.pipeline.pipeline_room import LOOKUP, Rooms, Thinker, phases_of, record_of
from tests.unit.orchestrator.turns.test_approvals import asking, until_it_waits

WRITTEN = Path(__file__).with_name("checkpoint_74b5a28.json").read_bytes()


@pytest.fixture
def saved() -> Turn:
    return msgspec.json.decode(WRITTEN, type=Turn)


def test_it_is_written_again_as_it_was(saved: Turn) -> None:
    """A process with the old code may take the turn over again. It ignores fields that it does not know."""
    written = json.loads(msgspec.json.encode(saved))
    assert only_what_is_in(json.loads(WRITTEN), written) == json.loads(WRITTEN)
    assert written.keys() - json.loads(WRITTEN).keys() == {"history_from"}


def test_it_still_waits(saved: Turn) -> None:
    assert waiting(saved.approval) == ["2.a"]
    assert saved.steering == ["In one word."]


@pytest.mark.parametrize("action", ["approve", "deny"])
async def test_the_turn_goes_on_from_it(make_room: Rooms, saved: Turn, action: Any) -> None:
    removed: list[str] = []
    model = Thinker()

    def remove(text: str) -> str:
        removed.append(text)
        return "removed"

    room = make_room(model, tools=[LOOKUP, asking(remove)])
    lease = Lease(state="held", holder="dead", turn_id="t42", turn_number=42, is_waiting=True, recent=["t41"])
    await room.write_lease(lease, saved)
    room.put(room.first, 42, saved.request.input, recipe="standard", images=["a"]).close()
    room.lose_the_others(room.first)
    ended = asyncio.create_task(room.office.of("t42"))

    await until_it_waits(room)
    await room.controls.control(Control(user="alice", turn_id="t42", action=action))

    assert isinstance(await asyncio.wait_for(ended, 5), TurnSaved)
    assert removed == (["notes"] if action == "approve" else [])
    assert phases_of(room)[-3:] == ["coordinate", "synthesis", "validation"]
    assert model.roles() == ["VOICE", "MIND"], "what was thought before is not thought again"
    record = await record_of(room)
    assert (record.attempt, record.steering) == (2, ["In one word."])
    assert [phase.phase for phase in record.phases[:5]] == ["look", "analysis", "gate", "gather", "plan"]
