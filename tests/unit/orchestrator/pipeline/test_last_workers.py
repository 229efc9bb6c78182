"""Which worker is asked first: the one that answered the last turns of the session."""

from services.orchestrator.phases.last_workers import LastWorkers
from shared.contract.requests import PrefixHeld
from tests.unit.orchestrator.pipeline.pipeline_room import Rooms, Thinker


def held(turn_id: str, worker: str, engine: str = "") -> PrefixHeld:
    return PrefixHeld(worker=worker, engine=engine, request_id=f"{turn_id}:1")


def test_the_latest_turn_counts_whose_worker_is_known() -> None:
    workers = LastWorkers()
    for one in (held("t1", "first"), held("t2", "second")):
        workers.note(one)

    assert workers.of("", ["t1", "t2"]) == "second"
    assert workers.of("", ["t2", "t1", "t3"]) == "first"
    assert workers.of("", ["t3"]) is None
    assert workers.of("", []) is None


def test_a_worker_of_another_engine_does_not_count() -> None:
    workers = LastWorkers()
    workers.note(held("t1", "first", "small"))

    assert workers.of("", ["t1"]) is None
    assert workers.of("small", ["t1"]) == "first"


def test_it_remembers_a_limited_number_of_turns() -> None:
    workers = LastWorkers()
    for number in range(10_001):
        workers.note(held(f"t{number}", "first"))

    assert workers.of("", ["t0"]) is None
    assert workers.of("", ["t1"]) == "first"


def test_one_worker_alone_need_not_be_asked_for_nor_the_one_that_is_left() -> None:
    workers = LastWorkers()
    workers.note(held("t1", "first"))
    workers.note(held("t1", "first"))
    workers.note(held("t2", "other", "small"))
    assert not workers.are_several("")

    workers.note(held("t3", "second"))
    assert workers.are_several("")
    assert not workers.are_several("small")

    workers.forget("first")
    assert not workers.are_several("")
    assert workers.of("", ["t1"]) is None
    assert workers.of("", ["t3"]) == "second"


async def test_an_answer_continues_the_turns_of_its_history_and_other_questions_none(
    make_room: Rooms,
) -> None:
    model = Thinker()
    room = make_room(model)
    await room.hand_in(1, recipe="standard")
    await room.hand_in(2, recipe="standard")

    voiced = [turns for role, turns in zip(model.roles(), model.continued, strict=True) if role == "VOICE"]
    others = [turns for role, turns in zip(model.roles(), model.continued, strict=True) if role != "VOICE"]
    assert voiced == [[], ["t1"]]
    assert others
    assert not any(others)
