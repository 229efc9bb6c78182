"""Turns that change hands, are stopped, steered, refused: with two orchestrators that share their leases."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from services.orchestrator.phases.ports import StopSignal
from services.orchestrator.queue.lease import Lease
from shared.contract.errors import Refused
from shared.contract.events import (
    Event,
    Steered,
    TurnCancelled,
    TurnFailed,
    TurnSaved,
)
from shared.contract.requests import (
    Control,
    Generate,
    Generated,
    GetTurn,
    Recall,
    Recalled,
)
from tests.unit.orchestrator.orchestrator_room import Parrot, Room, Shelf, Talker, generated


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """Its first orchestrator's engine talks until it is told to stop."""
    room = Room(tmp_path / "turns", Shelf(), Talker())
    yield room
    await room.close()


def talker(room: Room) -> Talker:
    assert isinstance(room.model, Talker)
    return room.model


def cancel(number: int) -> Control:
    return Control(user="alice", turn_id=f"t{number}", action="cancel")


async def test_a_turn_is_gone_on_with_where_its_dead_process_left_it(room: Room) -> None:
    ended = room.put(room.first, 7)
    await talker(room).talks.wait()
    await until(lambda: room.saved() is not None)

    second = room.second(Parrot())
    room.put(second, 7).close()
    room.lose_the_others(second)
    saved = await ended

    assert isinstance(saved, TurnSaved)
    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))
    assert (record.attempt, record.output) == (2, "Hello")
    assert room.memory.asked == 1, "what memory said was kept"
    events = room.announced.of("t7")
    assert events.count("output.restarted") == 1
    assert events[-1] == "turn.saved"


async def test_a_process_that_lost_its_lease_changes_nothing_any_more(room: Room) -> None:
    """A zombie: paused, declared dead, and back when another one has ended its turn."""
    ended = room.put(room.first, 7)
    await talker(room).talks.wait()
    second = room.second(Parrot())
    room.put(second, 7).close()
    room.lose_the_others(second)
    saved = await ended

    await until(lambda: room.first.run_of("t7") is None)
    await until(lambda: room.lease_of().state == "free")

    assert room.office.told == 1
    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))
    assert isinstance(saved, TurnSaved)
    assert record.output == saved.output == "Hello"


async def test_a_turn_whose_folder_was_written_is_only_told_by_whoever_takes_it_over(room: Room) -> None:
    told = Parrot()
    second = room.second(told)
    await room.put(second, 7)
    lease = Lease(state="held", holder="dead", turn_id="t7", turn_number=7)
    await room.write_lease(lease)
    room.office.outcomes.clear()

    room.lose_the_others(second)
    again = await room.office.of("t7")

    assert isinstance(again, TurnSaved)
    assert len(told.asked) == 1


async def test_a_lease_whose_turn_has_left_the_queue_is_freed_by_whoever_takes_it_over(room: Room) -> None:
    """Its holder told of the end, and died before it could free the session; it had saved nothing."""
    second = room.second(Parrot())
    await room.put(second, 7)
    await until(lambda: room.lease_of().state == "free")
    await room.write_lease(Lease(state="held", holder="dead", turn_id="t7", turn_number=9))

    room.lose_the_others(second)
    saved = await room.put(second, 10)

    assert isinstance(saved, TurnSaved)
    assert room.office.told == 2


async def test_a_lease_of_a_turn_that_nobody_knows_does_not_block_its_session(room: Room) -> None:
    second = room.second(Parrot())
    await room.write_lease(Lease(state="held", holder="dead", turn_id="t7", turn_number=7))

    room.lose_the_others(second)
    saved = await room.put(second, 10)

    assert isinstance(saved, TurnSaved)


async def test_a_stop_hands_back_what_it_cannot_end_and_another_takes_it_at_once(room: Room) -> None:
    ended = room.put(room.first, 7)
    await talker(room).talks.wait()
    second = room.second(Parrot())
    room.put(second, 7).close()

    await room.first.stop(within=0.3)
    saved = await ended

    assert isinstance(saved, TurnSaved)
    assert room.announced.of("t7").count("output.restarted") == 1


async def test_a_turn_that_breaks_its_process_in_a_way_nobody_expected_is_tried_again(room: Room) -> None:
    second = room.second(Parrot())
    told = room.office.publish
    failures = iter([RuntimeError("a bug")])

    async def publish(event: Event) -> None:
        for error in failures:
            raise error
        await told(event)

    room.office.publish = publish  # type: ignore[method-assign]

    saved = await room.put(second, 7)

    assert isinstance(saved, TurnSaved)
    await until(lambda: room.lease_of().state == "free")


async def test_a_running_turn_is_cancelled_and_keeps_what_was_said(room: Room) -> None:
    ended = room.put(room.first, 7)
    await talker(room).talks.wait()

    first = await room.controls.control(cancel(7))
    outcome = await ended
    again = await room.controls.control(cancel(7))

    assert (first.found, first.phase, first.done) == ("running", "synthesis", True)
    assert isinstance(outcome, TurnCancelled)
    assert (outcome.output, outcome.why) == ("In Lis", "cancelled")
    assert (again.found, again.done) == ("cancelled", True)


async def test_a_waiting_turn_is_cancelled_before_it_runs(room: Room) -> None:
    room.put(room.first, 7).close()
    await talker(room).talks.wait()
    ended = room.put(room.first, 8)

    found = await room.controls.control(cancel(8))
    outcome = await ended

    assert (found.found, found.done) == ("queued", True)
    assert isinstance(outcome, TurnCancelled)
    assert len(room.model.asked) == 1
    assert room.announced.of("t8") == ["turn.queued", "turn.cancelled"]


async def test_a_turn_that_was_saved_stays_saved(room: Room) -> None:
    second = room.second(Parrot())
    await room.put(second, 7)

    found = await room.controls.control(cancel(7))

    assert (found.found, found.done) == ("saved", False)


async def test_a_stranger_cannot_cancel_a_turn(room: Room) -> None:
    room.put(room.first, 7).close()
    await talker(room).talks.wait()

    with pytest.raises(Refused) as refusal:
        await room.controls.control(Control(user="bob", turn_id="t7", action="cancel"))

    assert refusal.value.status == 404
    assert room.first.run_of("t7") is not None


async def test_a_cancel_is_kept_by_whoever_takes_the_turn_over(room: Room) -> None:
    """The process that said yes dies before it has written the end."""
    ended = room.put(room.first, 7)
    await talker(room).talks.wait()
    run = room.first.run_of("t7")
    assert run is not None
    await room.write_lease(
        Lease(state="held", holder="dead", turn_id="t7", turn_number=7),
        msgspec.structs.replace(run.turn, stopped="cancelled"),
    )
    second = room.second(Parrot())
    room.lose_the_others(second)
    outcome = await ended

    assert isinstance(outcome, TurnCancelled)


async def test_an_interrupting_turn_stops_the_running_one_and_keeps_its_words(tmp_path: Path) -> None:
    room = Room(tmp_path / "turns", Shelf(), Interrupted())
    ended = room.put(room.first, 7, "Tell me of Lisbon.")
    await talker(room).talks.wait()

    saved = await room.put(room.first, 8, "No, of Porto.", if_busy="interrupt")
    outcome = await ended

    assert isinstance(outcome, TurnCancelled)
    assert (outcome.why, outcome.output) == ("interrupted", "In Lis")
    assert isinstance(saved, TurnSaved)
    said = [message.content for message in room.model.asked[-1].messages[1:]]
    assert said == ["Tell me of Lisbon.", "In Lis", "No, of Porto."]
    await room.close()


async def test_a_replacing_turn_drops_the_running_one_from_the_session(tmp_path: Path) -> None:
    room = Room(tmp_path / "turns", Shelf(), Interrupted())
    ended = room.put(room.first, 7, "Tell me of Lisbon.")
    await talker(room).talks.wait()

    await room.put(room.first, 8, "Tell me of Porto.", if_busy="replace")
    outcome = await ended

    assert isinstance(outcome, TurnCancelled)
    assert outcome.why == "replaced"
    assert [message.content for message in room.model.asked[-1].messages[1:]] == ["Tell me of Porto."]
    await room.close()


async def test_a_turn_that_would_rather_not_wait_is_refused_while_its_session_is_busy(room: Room) -> None:
    room.put(room.first, 7).close()
    await talker(room).talks.wait()

    refused = await room.put(room.first, 8, if_busy="reject")

    assert isinstance(refused, TurnFailed)
    assert refused.reason == "session_busy"
    assert "t7" in refused.detail


async def test_a_turn_is_steered_until_its_answer_begins(tmp_path: Path) -> None:
    class Slow(Shelf):
        async def recall(self, request: Recall) -> Recalled:
            looking.set()
            await go_on.wait()
            return Recalled()

    looking, go_on = asyncio.Event(), asyncio.Event()
    room = Room(tmp_path / "turns", Slow(), Talker())
    ended = room.put(room.first, 7, "Where does Mira live?")
    await looking.wait()
    steer = Control(user="alice", turn_id="t7", action="steer", text="In one word.")

    found = await room.controls.control(steer)
    go_on.set()
    await talker(room).talks.wait()
    with pytest.raises(Refused) as late:
        await room.controls.control(steer)
    await room.controls.control(cancel(7))
    await ended

    assert (found.phase, found.takes_effect) == ("gather", "synthesis")
    assert late.value.status == 409
    assert room.model.asked[0].question == "Where does Mira live?\n\nIn one word."
    steered = [event for event in room.announced.events["t7"].values() if isinstance(event, Steered)]
    assert [(event.text, event.takes_effect) for event in steered] == [("In one word.", "synthesis")]
    record = await room.archive.get_turn(GetTurn(user="alice", turn_id="t7"))
    assert record.steering == ["In one word."]
    await room.close()


class Interrupted(Talker):
    """Talks until it is told to stop, and answers at once from the second request on."""

    async def generate(
        self, request: Generate, stop: StopSignal, *, continues: Sequence[str] = ()
    ) -> Generated:
        if self.asked:
            self.asked.append(request)
            return generated(request)
        return await super().generate(request, stop, continues=continues)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)
