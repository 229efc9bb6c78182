"""The recipe of a turn: its own, else its session's, else the settings'."""

import asyncio

import pytest

from services.orchestrator.recipes.sessions import Sessions
from shared.contract.errors import Refused
from shared.contract.events import TurnSaved
from shared.contract.requests import GetSession, ListHeldSessions, SetSession
from tests.unit.orchestrator.orchestrator_room import Room, Wishes
from tests.unit.orchestrator.pipeline.pipeline_room import Rooms, Thinker, record_of
from tests.unit.samples import AT

KITCHEN = ("alice", "kitchen")


@pytest.fixture
async def room(make_room: Rooms) -> Room:
    return make_room(Thinker())


async def test_a_turn_that_names_none_gets_its_sessions(room: Room) -> None:
    room.settings.recipes[KITCHEN] = "standard"

    await room.hand_in(42)
    await room.hand_in(43, session_id="garden")
    await room.hand_in(44, user="bob")

    assert [(await record_of(room, 42)).recipe, (await record_of(room, 43)).recipe] == ["standard", "direct"]
    assert (await room.documents.turns_of("bob"))[0] == (44, "t44")
    assert not (await record_of(room, 42)).notes


async def test_a_turns_own_goes_first_and_nobody_is_asked(room: Room) -> None:
    room.settings.recipes[KITCHEN] = "standard"

    await room.hand_in(42, recipe="direct")

    assert (await record_of(room)).recipe == "direct"
    assert room.settings.asked == 0


async def test_a_sessions_recipe_that_is_gone_is_no_fault_of_the_turn(room: Room) -> None:
    room.settings.recipes[KITCHEN] = "thorough"

    assert isinstance(await room.hand_in(42), TurnSaved)

    record = await record_of(room)
    assert record.recipe == "direct"
    assert record.notes == ["recipe: the session's, thorough, is not there any more; ran direct"]


async def test_settings_that_cannot_be_read_are_waited_for(room: Room) -> None:
    room.settings.recipes[KITCHEN] = "standard"
    room.settings.away = 2

    assert isinstance(await room.hand_in(42), TurnSaved)

    assert ((await record_of(room)).recipe, (await record_of(room)).attempt) == ("standard", 3)
    assert room.announced.of("t42")[:3] == ["turn.queued", "output.restarted", "output.restarted"]


async def test_an_unexpected_error_of_the_choice_is_a_failed_attempt(room: Room) -> None:
    """Else the turn would be handed back and taken again for ever, and its readers heard nothing."""

    async def recipe_of(user: str, session_id: str) -> str:
        raise ValueError("a bug")

    room.settings.recipe_of = recipe_of  # type: ignore[method-assign]

    room.put(room.first, 7).close()
    async with asyncio.timeout(5):
        while (run := room.first.run_of("t7")) is None or not run.turn.failures:  # noqa: ASYNC110  # as in pipeline_room
            await asyncio.sleep(0.001)

    assert room.announced.of("t7") == ["turn.queued"]


async def test_an_unknown_recipe_is_refused_with_those_there_are(room: Room) -> None:
    sessions = Sessions(Wishes(), room.recipes, lambda: AT)

    with pytest.raises(Refused, match="'thorough'; there are: direct, standard") as refused:
        await sessions.set(SetSession(user="alice", session_id="kitchen", recipe="thorough"))

    assert (refused.value.status, refused.value.field) == (422, "recipe")


async def test_all_that_is_set_is_told_a_page_at_a_time(room: Room) -> None:
    wishes = Wishes()
    sessions = Sessions(wishes, room.recipes, lambda: AT)
    for number in range(150):
        await wishes.keep("alice", f"s{number:03}", "standard" if number else "", AT)
    await wishes.keep("bob", "s200", "direct", AT)

    first = await sessions.list_held(ListHeldSessions(user="alice"))
    last = first.sessions[-1].session_id
    second = await sessions.list_held(ListHeldSessions(user="alice", after=last))

    told = [*first.sessions, *second.sessions]
    assert [one.session_id for one in told] == [f"s{number:03}" for number in range(1, 150)]
    assert {one.recipe for one in told} == {"standard"}
    assert (len(first.sessions), first.more, second.more) == (100, True, False)


async def test_what_is_set_is_told_and_an_empty_one_takes_it_away(room: Room) -> None:
    sessions = Sessions(Wishes(), room.recipes, lambda: AT)
    asked = GetSession(user="alice", session_id="kitchen")

    said = await sessions.set(SetSession(user="alice", session_id="kitchen", recipe="standard"))
    assert said == await sessions.get(asked)
    assert (said.session_id, said.recipe) == ("kitchen", "standard")

    await sessions.set(SetSession(user="alice", session_id="kitchen", recipe=""))
    assert (await sessions.get(asked)).recipe == ""
