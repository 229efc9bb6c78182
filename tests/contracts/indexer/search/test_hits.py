"""From messages to hits: what a search answers, and whose it is."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import numpy
import pytest

from services.indexer.passages.passage import Passage
from shared.contract.errors import Refused
from shared.contract.events import Source
from shared.contract.requests import MOST_MESSAGES, Hit, ImportMessages, ImportReply
from tests.contracts.indexer.messages.message_room import (
    WORDS,
    Room,
    imported,
    message_room,
    said,
    vector_of,
)
from tests.unit.samples import AT, message, saved


@pytest.fixture
async def room(database: str, tmp_path: Path) -> AsyncIterator[Room]:
    async with message_room(database, tmp_path) as opened:
        yield opened


# --- what search answers -----------------------------------------------------------------------------------


async def test_a_turn_is_found_by_its_question_and_by_its_answer_and_is_one_hit(room: Room) -> None:
    await room.turns.on_turns_saved([saved(7, "Where are the bees?", "They are in Lisbon.")])

    for query in ("bees", "Lisbon"):
        (hit,) = await room.hits(query)
        assert (hit.kind, hit.id, hit.turn_id, hit.turn_number) == ("turn", "t7", "t7", 7)
        assert sorted(hit.message_ids) == ["t7:assistant", "t7:user"]
        assert (hit.input, hit.output) == ("Where are the bees?", "They are in Lisbon.")
        assert hit.text == "Where are the bees?\nThey are in Lisbon."
        assert len(hit.highlights) == 1
    assert (await room.hits("Lisbon"))[0].message_ids[0] == "t7:assistant"


async def test_an_imported_answer_is_found_through_its_question(room: Room) -> None:
    """Neither a word nor the meaning of the question is in the answer."""
    await room.writer.add(
        [
            said(1, "Nice weather today, is it not, for a walk."),
            said(2, "Mel, how many honey bees do you keep?"),
            said(3, "About forty thousand I would say, in two hives.", speaker="Mel"),
            said(4, "Wow, that is a lot of them to look after."),
            said(5, "I have to do my tax forms on the weekend."),
        ]
    )

    found = await room.found("honey bees")

    assert set(found[:3]) >= {"m2", "m3"}
    assert found.index("m3") < found.index("m5")
    assert (await room.candidates("honey bees"))[str(said(3, "").point_id)].words is None


async def test_an_imported_message_is_shown_as_itself(room: Room) -> None:
    await room.turns.import_messages(
        ImportMessages(user="alice", messages=[imported(3, "Roses like the sun.", speaker="Mel")])
    )

    (hit,) = await room.hits("What do roses like?")

    assert msgspec.structs.replace(hit, score=0.0, similarity=0.0, words=0.0) == Hit(
        kind="turn",
        id="m3",
        score=0.0,
        text="Roses like the sun.",
        session_id="D1",
        at=AT + timedelta(minutes=3),
        message_ids=["m3"],
        highlights=["Roses like the sun."],
        speaker="Mel",
        input="Roses like the sun.",
    )
    assert 0 < hit.score <= 1
    assert hit.words > 0


async def test_an_import_says_what_became_of_its_messages(room: Room) -> None:
    first = ImportMessages(user="alice", messages=[imported(1, "Bees"), imported(2, "Roses")])
    second = ImportMessages(
        user="alice", messages=[imported(1, "Bees"), imported(2, "Tax"), imported(3, "Sun")]
    )

    assert await room.turns.import_messages(first) == ImportReply(new=2, changed=0, known=0)
    assert await room.turns.import_messages(second) == ImportReply(new=1, changed=1, known=1)
    assert await room.found("tax", limit=1) == ["m2"]


async def test_more_messages_than_a_request_may_hold_are_refused(room: Room) -> None:
    messages = [imported(number, "Bees") for number in range(MOST_MESSAGES + 1)]

    with pytest.raises(Refused, match=str(MOST_MESSAGES)):
        await room.turns.import_messages(ImportMessages(user="alice", messages=messages))
    assert await room.table.count() == (0, 0)


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_a_search_keeps_to_its_limit_and_the_best_come_first(room: Room, limit: int) -> None:
    await room.writer.add(
        [said(n, f"Bees number {n} {'roses ' * (n % 4)}", session_id=f"s{n}") for n in range(20)]
    )

    hits = await room.hits("bees roses", limit=limit)

    assert len(hits) == min(limit, 20)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_hits_can_be_asked_for_without_highlights(room: Room) -> None:
    await room.writer.add([said(1, "Roses like the sun."), said(2, "Bees like roses.")])

    with_them, without = await room.hits("roses"), await room.hits("roses", highlights=False)

    assert all(hit.highlights for hit in with_them)
    assert without == [msgspec.structs.replace(hit, highlights=[]) for hit in with_them]


async def test_messages_that_say_the_same_are_one_hit_and_leave_room_for_others(room: Room) -> None:
    same = [said(n, "The bees are in  Lisbon.", session_id=f"s{n}") for n in range(3)]
    await room.writer.add([*same, said(9, "Bees like roses, honey and the sun.")])

    hits = await room.hits("Where are the bees?", limit=2)

    assert {hit.text for hit in hits} == {"The bees are in  Lisbon.", "Bees like roses, honey and the sun."}


async def test_only_the_kinds_that_are_asked_for_are_searched(room: Room) -> None:
    await room.writer.add([said(1, "Bees")])

    assert await room.found("bees", kinds=["turn"]) == ["m1"]
    assert await room.found("bees", kinds=["memory"]) == []
    assert await room.found("bees", kinds=[]) == []


async def test_a_search_may_be_for_a_session_a_speaker_or_a_time(room: Room) -> None:
    await room.writer.add(
        [said(1, "Bees one"), said(2, "Bees two", speaker="Mel"), said(3, "Bees three", session_id="D2")]
    )

    assert await room.found("bees", session_id="D2") == ["m3"]
    assert await room.found("bees", speaker="mel") == ["m2"]
    assert set(await room.found("bees", since=AT + timedelta(minutes=2))) == {"m2", "m3"}
    assert await room.found("bees", until=AT + timedelta(minutes=1)) == ["m1"]


async def test_questions_that_were_only_answered_with_quotations_can_be_left_out(room: Room) -> None:
    echo = saved(2, "Who keeps bees?", "Mira keeps bees. (turn 1)", intent="question", quoted=True)
    await room.turns.on_turns_saved([saved(1, "Mira keeps bees.", "Noted."), echo])

    assert {hit.id for hit in await room.hits("bees")} == {"t1", "t2"}
    assert {hit.id for hit in await room.hits("bees", without_echoes=True)} == {"t1"}
    (quoted,) = [hit for hit in await room.hits("bees") if hit.id == "t2"]
    assert quoted.text == "Who keeps bees?", "what was quoted is not said again"


async def test_turns_that_their_session_goes_on_without_are_found_where_they_are_asked_for(
    room: Room,
) -> None:
    edited = [
        saved(1, "Hello", "Hi."),
        saved(2, "Bees are green.", follows=1),
        saved(3, "Bees are blue.", follows=1),
    ]
    await room.turns.on_turns_saved(edited)

    assert {hit.id for hit in await room.hits("bees")} == {"t1", "t3"}
    marks = {hit.id: hit.abandoned for hit in await room.hits("bees", abandoned=True)}
    assert marks == {"t1": False, "t2": True, "t3": False}


async def test_the_signals_of_a_hit_add_up_to_its_score(room: Room) -> None:
    await room.writer.add([said(n, f"{word} in May") for n, word in enumerate(WORDS)])

    hits = await room.hits("When did Caroline see the bees and the roses?", explain=True)

    assert len(hits) == len(WORDS)
    for hit in hits:
        assert hit.explain is not None
        assert sum(one.value * one.weight for one in hit.explain.values()) == pytest.approx(
            hit.score, abs=1e-5
        )
    assert (await room.hits("bees"))[0].explain is None


async def test_what_answers_stood_on_counts_as_used(room: Room) -> None:
    """In its own session: another one's message may have the same name."""
    mine, other = said(1, "Bees"), said(1, "Roses", session_id="D2")
    await room.writer.add([mine, other])
    source = Source(id="m1", session_id="D1", message_ids=["m1"], score=0.5, quote="Bees")

    await room.turns.count_uses([saved(7, "Who?", "They.", sources=[source])])

    held = await room.candidates("bees")
    assert held[str(mine.point_id)].uses == 1
    assert held[str(other.point_id)].uses == 0


async def test_a_source_that_is_not_indexed_yet_stops_nothing(room: Room) -> None:
    await room.table.add([said(1, "Bees")])
    sources = [
        Source(id=name, session_id="D1", message_ids=[name], score=0.5, quote="?") for name in ("m1", "m404")
    ]

    await room.turns.count_uses([saved(7, "Who?", "They.", sources=sources)])
    await room.writer.add([said(1, "Bees")])

    assert (await room.candidates("bees"))[str(said(1, "").point_id)].uses == 1


@pytest.mark.parametrize(("query", "limit"), [("", 10), (" \n", 10), ("bees", 0), ("bees", 101)])
async def test_what_cannot_be_asked_is_refused(room: Room, query: str, limit: int) -> None:
    with pytest.raises(Refused):
        await room.hits(query, limit=limit)


@pytest.mark.parametrize("query", ["?!", "\0", "🐝", "the of and", "bees " * 5_000])
async def test_any_other_text_may_be_asked_for(room: Room, query: str) -> None:
    await room.writer.add([said(1, "Bees")])

    assert await room.found(query) == ["m1"]


async def test_nothing_stored_is_nothing_found(room: Room) -> None:
    assert await room.hits("bees") == []
    assert await room.writer.add([]) == await room.table.add([])


# --- whose it is -------------------------------------------------------------------------------------------


async def test_of_a_thousand_users_who_said_the_same_each_finds_her_own(room: Room) -> None:
    """All in a session of the same name, by messages of the same name."""
    users = [f"user{n}" for n in range(1_000)]
    for start in range(0, len(users), 250):
        some = users[start : start + 250]
        await room.writer.add([said(1, f"The bees of {user} like roses", user) for user in some])

    for user in users[::10]:
        hits = await room.hits("bees and roses of user1", user, limit=100)
        assert [hit.text for hit in hits] == [f"The bees of {user} like roses"]
    assert await room.hits("bees", "nobody") == []


async def test_a_point_under_a_wrong_name_shows_nobodys_words(room: Room) -> None:
    """The row has the last word on whose it is."""
    await room.writer.add([said(1, "Bees of bob", "bob")])
    row = (await room.table.get("bob", [said(1, "", "bob").point_id]))[said(1, "", "bob").point_id]
    stray = Passage(message=message(0, "Bees", user="alice"), part=0, text="Bees of bob")
    foreign = _UnderAlice(message=row, part=0, text=row.text)
    vectors = numpy.stack([vector_of("bees")] * 2)

    await room.index.upsert([stray, foreign], vectors, vectors)

    assert len(await room.candidates("bees")) == 2
    assert await room.hits("bees") == []


class _UnderAlice(Passage, frozen=True, kw_only=True):
    """A point with somebody else's message."""

    @property
    def id(self) -> UUID:
        return message(99, "").point_id

    def payload(self) -> dict[str, object]:
        return {**super().payload(), "user": "alice"}
