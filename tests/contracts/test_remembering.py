"""From messages to hits: the indexer's core over a real PostgreSQL and a real Qdrant Edge.

Only the model is another one: it knows the words below and nothing else, so that vectors can be foretold.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy
import pytest

from services.indexer.adapters.migrations import migrate
from services.indexer.adapters.postgres import Database
from services.indexer.adapters.postgres_messages import PostgresMessageTable
from services.indexer.adapters.postgres_turns import PostgresTurnTable
from services.indexer.adapters.qdrant_edge import EdgePassageIndex
from services.indexer.domain.messages import Message, message_of_import
from services.indexer.domain.passages import Passage
from services.indexer.domain.ranking import Candidate
from services.indexer.generation import Generation
from services.indexer.handlers import Indexer
from services.indexer.hits import MessageHits
from services.indexer.ports import IndexQuery, PassageIndex, Vectors
from services.indexer.remembering import Remembering
from services.indexer.searching import Searching
from shared.errors import Refused, Transient
from shared.events import Source
from shared.replies import MOST_MESSAGES, Count, Hit, ImportedMessage, ImportMessages, Search
from tests.unit.samples import AT, message, saved

WORDS = ("bees", "roses", "tax", "lisbon", "honey", "mira", "sun")
DIMENSION = len(WORDS) + 1
"""One for each of the words, and one for whatever is said without them."""


@dataclass
class KnownWords:
    """Embedder: the direction of a text is how often it says each of the words."""

    dimension: int = DIMENSION
    embedded: list[str] = field(default_factory=list)
    """Every text that was to be stored, in order."""
    is_away: bool = False

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if self.is_away:
            raise Transient("the model is away", retry_in=1.0)
        self.embedded += texts
        return numpy.stack([_vector(text) for text in texts]) if texts else numpy.zeros((0, DIMENSION), "f4")

    async def embed_query(self, text: str) -> Vectors:
        return _vector(text)

    def forget_queries(self) -> None:
        """It keeps none."""


def _vector(text: str) -> Vectors:
    counts = [text.lower().count(word) for word in WORDS]
    vector = numpy.array([*counts, 0 if any(counts) else 1], numpy.float32)
    unit: Vectors = vector / numpy.linalg.norm(vector)
    return unit


@dataclass
class Room:
    """The indexer without its bus."""

    embedder: KnownWords
    index: PassageIndex
    table: PostgresMessageTable
    remembering: Remembering
    indexer: Indexer
    searching: Searching

    async def hits(self, query: str, user: str = "alice", **more: Any) -> list[Hit]:
        return (await self.searching.search(Search(user=user, query=query, **more))).hits

    async def found(self, query: str, user: str = "alice", **more: Any) -> list[str]:
        """The best message of each hit."""
        return [hit.message_ids[0] for hit in await self.hits(query, user, **more)]

    async def candidates(self, words: str, user: str = "alice") -> dict[str, Candidate]:
        """What the index says of every message, by its text's place among WORDS or not."""
        query = IndexQuery(user=user, vector=_vector(words), words=words, limit=1_000)
        return {candidate.key: candidate for candidate in await self.index.search(query)}


@pytest.fixture
async def room(database: str, tmp_path: Path) -> AsyncIterator[Room]:
    await migrate(database)
    async with (
        Database.connect(database, connections=4, timeout=30) as connected,
        EdgePassageIndex.open(tmp_path / "turns", DIMENSION, "turn") as index,
    ):
        turns, table, embedder = PostgresTurnTable(connected), PostgresMessageTable(connected), KnownWords()
        generation = Generation("v1", embedder, {"turn": index})
        remembering = Remembering(table, generation)
        yield Room(
            embedder,
            index,
            table,
            remembering,
            Indexer(turns, table, remembering, generation),
            Searching(table, {"turn": MessageHits(table, turns)}, generation),
        )


def said(number: int, text: str, user: str = "alice", **more: Any) -> Message:
    return message_of_import(user, imported(number, text, **more))


def imported(number: int, text: str, **more: Any) -> ImportedMessage:
    fields: dict[str, Any] = {"session_id": "D1", "speaker": "Caroline", **more}
    return ImportedMessage(message_id=f"m{number}", text=text, at=AT + timedelta(minutes=number), **fields)


def close_to(score: float) -> Any:
    return pytest.approx(score, abs=1e-3)


def near(*texts: str) -> Vectors:
    """Of the first text, with the others beside it."""
    vector = _vector(texts[0]) + 0.5 * sum((_vector(text) for text in texts[1:]), numpy.zeros(DIMENSION))
    unit: Vectors = vector / numpy.linalg.norm(vector)
    return unit


async def assert_near(room: Room, one: Message, *texts: str) -> None:
    """The index holds the message with these beside it, and with no others."""
    expected = near(one.text, *texts)
    for i, word in enumerate(WORDS):
        held = (await room.candidates(word, one.user))[str(one.point_id)]
        assert held.meaning_near == close_to(float(expected[i])), word
        assert bool(held.words_near) == any(word in text.lower() for text in (one.text, *texts)), word


# --- what stands beside a message --------------------------------------------------------------------------


async def test_what_stands_beside_the_last_message_changes_when_the_next_one_comes(room: Room) -> None:
    first, second, third = said(1, "Bees?"), said(2, "Roses."), said(3, "Tax!")

    await room.remembering.add([first])
    await assert_near(room, first)

    await room.remembering.add([second])
    await assert_near(room, first, second.text)
    await assert_near(room, second, first.text)

    await room.remembering.add([third])
    await assert_near(room, first, second.text)
    await assert_near(room, second, first.text, third.text)
    await assert_near(room, third, second.text)


async def test_sessions_and_users_do_not_leak_into_each_other(room: Room) -> None:
    garden, kitchen = said(1, "Bees", session_id="garden"), said(1, "Roses", session_id="kitchen")
    of_bob = said(1, "Tax", user="bob", session_id="garden")

    await room.remembering.add([garden, kitchen, of_bob])
    await room.remembering.add([said(2, "Honey", session_id="kitchen")])

    await assert_near(room, garden)
    await assert_near(room, kitchen, "Honey")
    await assert_near(room, of_bob)


@pytest.mark.parametrize("seed", range(3))
async def test_messages_that_come_one_by_one_stand_as_if_all_had_come_at_once(room: Room, seed: int) -> None:
    """Whatever the parts that they come in, and also where one of them is long."""
    chance = random.Random(seed)  # noqa: S311
    texts = [" ".join(chance.choices(WORDS, k=chance.choice((1, 3, 200)))) for _ in range(12)]
    once = [said(number, text, session_id="once") for number, text in enumerate(texts)]
    parts = [said(number, text, session_id="parts") for number, text in enumerate(texts)]

    await room.remembering.add(once)
    while parts:
        size = chance.randint(1, 4)
        await room.remembering.add(parts[:size])
        parts = parts[size:]

    for word in WORDS:
        held = await room.candidates(word)
        for number, text in enumerate(texts):
            one, other = (
                held[str(said(number, text, session_id=session).point_id)] for session in ("once", "parts")
            )
            assert scores(one) == pytest.approx(scores(other), abs=1e-5)


def scores(candidate: Candidate) -> list[float]:
    return [
        score or 0.0
        for score in (candidate.meaning, candidate.meaning_near, candidate.words, candidate.words_near)
    ]


async def test_two_writers_of_one_session_at_once_leave_no_point_with_what_stood_beside_it_before(
    room: Room,
) -> None:
    messages = [said(number, word) for number, word in enumerate(WORDS)]

    await asyncio.gather(*(room.remembering.add([message]) for message in messages))

    placed = (await room.table.get("alice", [message.point_id for message in messages])).values()
    texts = [""] + [one.text for one in sorted(placed, key=lambda one: one.ordinal)] + [""]
    for before, own, after in zip(texts, texts[1:], texts[2:], strict=False):
        one = next(message for message in messages if message.text == own)
        await assert_near(room, one, *filter(None, (before, after)))


async def test_the_model_computes_a_vector_once(room: Room) -> None:
    """Those of the neighbours are read from the index."""
    await room.remembering.add([said(1, "Bees"), said(2, "Roses")])
    await room.remembering.add([said(3, "Tax")])
    await room.remembering.add([said(1, "Bees"), said(2, "Roses"), said(3, "Tax")])

    assert room.embedder.embedded == ["Bees", "Roses", "Tax"]


# --- what comes again, and what is broken off --------------------------------------------------------------


async def test_the_same_messages_again_change_nothing(room: Room) -> None:
    messages = [said(1, "Bees"), said(2, "Roses " * 300)]
    await room.remembering.add(messages)
    before = await room.candidates("roses"), await room.index.count()

    added = await room.remembering.add(messages)

    assert (added.new, added.changed, added.known) == (0, [], 2)
    assert (await room.candidates("roses"), await room.index.count()) == before


async def test_a_message_whose_points_were_never_written_is_indexed_when_it_comes_again(room: Room) -> None:
    """As after a crash between its row and its points."""
    messages = [said(1, "Bees"), said(2, "Roses")]
    await room.remembering.add(messages[:1])
    room.embedder.is_away = True
    with pytest.raises(Transient):
        await room.remembering.add(messages)
    assert (await room.table.count(), await room.index.count()) == ((2, 1), 1)
    room.embedder.is_away = False

    added = await room.remembering.add(messages)

    assert (added.new, added.known) == (0, 2)
    assert (await room.table.count(), await room.index.count()) == ((2, 0), 2)
    await assert_near(room, messages[0], "Roses")
    await assert_near(room, messages[1], "Bees")


async def test_a_changed_message_is_found_by_its_new_words_alone(room: Room) -> None:
    before, after = said(1, "Bees"), said(3, "Roses")
    await room.remembering.add([before, said(2, "Tax"), after])
    changed = said(2, "Honey")

    added = await room.remembering.add([changed])

    assert added.changed == [changed.point_id]
    assert await room.index.count() == 3
    await assert_near(room, changed, "Bees", "Roses")
    await assert_near(room, before, "Honey")
    await assert_near(room, after, "Honey")


@pytest.mark.parametrize("is_broken_off", [False, True])
async def test_a_long_message_that_was_shortened_leaves_no_part_behind(
    room: Room, is_broken_off: bool
) -> None:
    """Also where the indexer dies right after the row was changed."""
    long, short = said(1, "Tax " * 400), said(1, "Honey")
    await room.remembering.add([long])
    assert await room.index.count() == 3
    if is_broken_off:
        await room.table.add([short])

    await room.remembering.add([short])

    assert await room.index.count() == 1
    await assert_near(room, short)


async def test_of_a_long_message_every_part_is_found_and_it_is_one_hit(room: Room) -> None:
    text = "Bees. " + "and so on and on " * 60 + "Roses. " + "or whatever " * 150 + "Lisbon."
    await room.remembering.add([said(1, text), said(2, "Tax")])

    for word in ("bees", "roses", "lisbon"):
        assert (await room.found(word))[0] == "m1"
        assert [hit.text for hit in await room.hits(word)].count(text) == 1


async def test_a_turn_that_is_saved_twice_is_there_once(room: Room) -> None:
    event = saved(7, "Where are the bees?", "In Lisbon.")

    first = await room.indexer.on_turns_saved([event])
    again = await room.indexer.on_turns_saved([event, event])

    assert [one.message_id for one in first] == ["t7:turn.indexed"]
    assert {one.message_id for one in again} == {"t7:turn.indexed"}
    counted = await room.indexer.count(Count())
    assert (counted.rows, counted.messages, counted.unindexed, counted.points) == (1, 2, 0, 2)
    assert counted.highest_turn_number == 7


# --- what search answers -----------------------------------------------------------------------------------


async def test_a_turn_is_found_by_its_question_and_by_its_answer_and_is_one_hit(room: Room) -> None:
    await room.indexer.on_turns_saved([saved(7, "Where are the bees?", "They are in Lisbon.")])

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
    await room.remembering.add(
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
    await room.indexer.import_messages(
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

    assert await room.indexer.import_messages(first) == msgspec.convert(
        {"new": 2, "changed": 0, "known": 0}, type(await room.indexer.import_messages(first))
    )
    reply = await room.indexer.import_messages(second)

    assert (reply.new, reply.changed, reply.known) == (1, 1, 1)
    assert await room.found("tax", limit=1) == ["m2"]


async def test_more_messages_than_a_request_may_hold_are_refused(room: Room) -> None:
    messages = [imported(number, "Bees") for number in range(MOST_MESSAGES + 1)]

    with pytest.raises(Refused, match=str(MOST_MESSAGES)):
        await room.indexer.import_messages(ImportMessages(user="alice", messages=messages))
    assert await room.table.count() == (0, 0)


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_a_search_keeps_to_its_limit_and_the_best_come_first(room: Room, limit: int) -> None:
    await room.remembering.add(
        [said(n, f"Bees number {n} {'roses ' * (n % 4)}", session_id=f"s{n}") for n in range(20)]
    )

    hits = await room.hits("bees roses", limit=limit)

    assert len(hits) == min(limit, 20)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_messages_that_say_the_same_are_one_hit_and_leave_room_for_others(room: Room) -> None:
    same = [said(n, "The bees are in  Lisbon.", session_id=f"s{n}") for n in range(3)]
    await room.remembering.add([*same, said(9, "Bees like roses, honey and the sun.")])

    hits = await room.hits("Where are the bees?", limit=2)

    assert {hit.text for hit in hits} == {"The bees are in  Lisbon.", "Bees like roses, honey and the sun."}


async def test_only_the_kinds_that_are_asked_for_are_searched(room: Room) -> None:
    await room.remembering.add([said(1, "Bees")])

    assert await room.found("bees", kinds=["turn"]) == ["m1"]
    assert await room.found("bees", kinds=["memory"]) == []
    assert await room.found("bees", kinds=[]) == []


async def test_a_search_may_be_for_a_session_a_speaker_or_a_time(room: Room) -> None:
    await room.remembering.add(
        [said(1, "Bees one"), said(2, "Bees two", speaker="Mel"), said(3, "Bees three", session_id="D2")]
    )

    assert await room.found("bees", session_id="D2") == ["m3"]
    assert await room.found("bees", speaker="mel") == ["m2"]
    assert set(await room.found("bees", since=AT + timedelta(minutes=2))) == {"m2", "m3"}
    assert await room.found("bees", until=AT + timedelta(minutes=1)) == ["m1"]


async def test_questions_that_were_only_answered_with_quotations_can_be_left_out(room: Room) -> None:
    echo = saved(2, "Who keeps bees?", "Mira keeps bees. (turn 1)", intent="question", quoted=True)
    await room.indexer.on_turns_saved([saved(1, "Mira keeps bees.", "Noted."), echo])

    assert {hit.id for hit in await room.hits("bees")} == {"t1", "t2"}
    assert {hit.id for hit in await room.hits("bees", without_echoes=True)} == {"t1"}
    (quoted,) = [hit for hit in await room.hits("bees") if hit.id == "t2"]
    assert quoted.text == "Who keeps bees?", "what was quoted is not said again"


async def test_the_signals_of_a_hit_add_up_to_its_score(room: Room) -> None:
    await room.remembering.add([said(n, f"{word} in May") for n, word in enumerate(WORDS)])

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
    await room.remembering.add([mine, other])
    source = Source(id="m1", session_id="D1", message_ids=["m1"], score=0.5, quote="Bees")

    await room.indexer.on_turns_saved([saved(7, "Who?", "They.", sources=[source])])

    held = await room.candidates("bees")
    assert held[str(mine.point_id)].uses == 1
    assert held[str(other.point_id)].uses == 0


async def test_a_source_that_is_not_indexed_yet_stops_nothing(room: Room) -> None:
    await room.table.add([said(1, "Bees")])
    sources = [
        Source(id=name, session_id="D1", message_ids=[name], score=0.5, quote="?") for name in ("m1", "m404")
    ]

    await room.indexer.on_turns_saved([saved(7, "Who?", "They.", sources=sources)])
    await room.remembering.add([said(1, "Bees")])

    assert (await room.candidates("bees"))[str(said(1, "").point_id)].uses == 1


@pytest.mark.parametrize(("query", "limit"), [("", 10), (" \n", 10), ("bees", 0), ("bees", 101)])
async def test_what_cannot_be_asked_is_refused(room: Room, query: str, limit: int) -> None:
    with pytest.raises(Refused):
        await room.hits(query, limit=limit)


@pytest.mark.parametrize("query", ["?!", "\0", "🐝", "the of and", "bees " * 5_000])
async def test_any_other_text_may_be_asked_for(room: Room, query: str) -> None:
    await room.remembering.add([said(1, "Bees")])

    assert await room.found(query) == ["m1"]


async def test_nothing_stored_is_nothing_found(room: Room) -> None:
    assert await room.hits("bees") == []
    assert await room.remembering.add([]) == await room.table.add([])


# --- whose it is -------------------------------------------------------------------------------------------


async def test_of_a_thousand_users_who_said_the_same_each_finds_her_own(room: Room) -> None:
    """All in a session of the same name, by messages of the same name."""
    users = [f"user{n}" for n in range(1_000)]
    for start in range(0, len(users), 250):
        some = users[start : start + 250]
        await room.remembering.add([said(1, f"The bees of {user} like roses", user) for user in some])

    for user in users[::10]:
        hits = await room.hits("bees and roses of user1", user, limit=100)
        assert [hit.text for hit in hits] == [f"The bees of {user} like roses"]
    assert await room.hits("bees", "nobody") == []


async def test_a_point_under_a_wrong_name_shows_nobodys_words(room: Room) -> None:
    """The row has the last word on whose it is."""
    await room.remembering.add([said(1, "Bees of bob", "bob")])
    row = (await room.table.get("bob", [said(1, "", "bob").point_id]))[said(1, "", "bob").point_id]
    stray = Passage(message=message(0, "Bees", user="alice"), part=0, text="Bees of bob")
    foreign = _UnderAlice(message=row, part=0, text=row.text)
    vectors = numpy.stack([_vector("bees")] * 2)

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
