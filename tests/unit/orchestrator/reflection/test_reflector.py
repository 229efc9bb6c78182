"""The reflector: which statements of an engine it takes, and that no user waits for it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.reflection.extraction import by_engine, by_patterns, question_about
from services.orchestrator.reflection.reflector import Reflector
from shared.bus.deliveries import Delivery
from shared.contract.errors import Refused, Transient
from shared.contract.events import Event, MemoryExtracted, TurnSaved, Usage, decode, encode
from shared.contract.requests import ENGINE_NEEDED, Generate, Generated, ModelsReply
from shared.process import metrics
from tests.unit.samples import AT, saved

FIRST = Delivery(sequence=1, attempt=1, stored_at=AT)
SAID = "I moved to Porto last week. My neighbour Zita plays the cello, what a noise!"
ZITA = {
    "text": "My neighbour Zita plays the cello.",
    "kind": "fact",
    "subject": "Zita",
    "attribute": "instrument",
    "value": "cello",
    "quote": "My neighbour Zita plays the cello",
}


class Engine:
    """Gives prepared answers, and counts the requests that it has at the same time."""

    def __init__(self, answer: object = None, *, name: str = "vllm", busy: int = 0) -> None:
        """`busy`: so many requests are refused, since turns need the engine."""
        self._answer = answer
        self._name = name
        self._busy = busy
        self.asked: list[Generate] = []
        self.looked = 0
        self.at_once = self.most_at_once = 0

    async def models(self) -> ModelsReply:
        self.looked += 1
        return ModelsReply(engine=self._name, models=["m"], context_tokens=4096, running=0, waiting=0)

    async def generate(self, request: Generate) -> Generated:
        self.asked.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        if self._busy:
            self._busy -= 1
            raise Refused(ENGINE_NEEDED, "turns need the engine")
        if isinstance(self._answer, Exception):
            raise self._answer
        text = self._answer if isinstance(self._answer, str) else json.dumps(self._answer)
        return Generated(
            text=text,
            model="m",
            finish_reason="stop",
            usage=Usage(),
            next_index=0,
            first_token_seconds=0.0,
            seconds=0.0,
        )


class Desk:
    """A reflector at work, and the events that it has told."""

    def __init__(self, engine: Engine) -> None:
        self.told: list[Event] = []
        self.reflector = Reflector(engine, self._tell, settle_seconds=0.01, look_again_seconds=0.001)

    async def _tell(self, event: Event) -> None:
        self.told.append(event)

    async def reflect(self, *turns: TurnSaved, delivery: Delivery = FIRST) -> list[MemoryExtracted]:
        reading = asyncio.create_task(self.reflector.run())
        try:
            found = await asyncio.gather(*(self.reflector.on_turn_saved(one, delivery) for one in turns))
        finally:
            reading.cancel()
        events = [*self.told, *(event for events in found for event in events)]
        return [event for event in events if isinstance(event, MemoryExtracted)]


async def reflect(engine: Engine, said: str = SAID, delivery: Delivery = FIRST) -> list[MemoryExtracted]:
    return await Desk(engine).reflect(saved(7, said), delivery=delivery)


def lag() -> float:
    [family] = metrics.reflection_lag_seconds.collect()
    [sample] = family.samples
    return float(sample.value)


# --- patterns ----------------------------------------------------------------------------------------------


async def test_without_a_generative_engine_the_patterns_read() -> None:
    engine = Engine(name="extractive")
    (porto,) = await reflect(engine)

    assert engine.asked == []
    told = porto.statement
    assert (told.kind, told.attribute, told.value, told.made_by) == ("fact", "home", "Porto", "reflector")
    assert (told.turn_id, told.session_id, told.message_ids) == ("t7", "kitchen", ["t7:user"])
    assert (told.said_at, porto.user) == (AT, "alice")
    assert told.quote in SAID


async def test_what_shall_be_remembered_is_the_users_own_word() -> None:
    (note,) = await reflect(Engine(name="extractive"), "Remember that the spare key is under the pot.")

    assert (note.statement.made_by, note.statement.confidence) == ("user", 1.0)
    assert (note.statement.kind, note.statement.text) == ("note", "The spare key is under the pot.")


async def test_who_corrects_themselves_in_one_breath_means_the_last() -> None:
    (one,) = await reflect(Engine(name="extractive"), "I live in Lisbon. Sorry! I live in Porto.")

    assert one.statement.value == "Porto"


async def test_two_sisters_are_two_statements() -> None:
    found = await reflect(Engine(name="extractive"), "My sister is called Mira. My sister is called Ana.")

    assert [one.statement.value for one in found] == ["Mira", "Ana"]


def test_a_turn_read_again_says_the_same_with_the_same_ids() -> None:
    assert by_patterns(saved(7, SAID)) == by_patterns(saved(7, SAID))
    assert by_patterns(saved(7, SAID))[0].memory_id != by_patterns(saved(8, SAID))[0].memory_id
    assert by_patterns(saved(7, SAID))[0].memory_id != by_patterns(saved(7, SAID, user="bob"))[0].memory_id


def test_what_is_extracted_is_a_message_that_readers_accept() -> None:
    for one in by_patterns(saved(7, "I am allergic to nuts. " * 300)):
        assert decode(MemoryExtracted, encode(one)) == one


# --- the engine --------------------------------------------------------------------------------------------


async def test_an_engine_finds_what_the_patterns_miss() -> None:
    porto, zita = await reflect(Engine(f"Sure!\n```json\n{json.dumps([ZITA])}\n```"))

    assert porto.statement.value == "Porto"
    assert (zita.statement.subject, zita.statement.value) == ("Zita", "cello")
    assert zita.statement.attribute == "", "it was not on the list"
    assert zita.statement.confidence < porto.statement.confidence


async def test_of_two_readings_of_one_thing_the_plain_one_counts() -> None:
    guess = {**ZITA, "subject": "user", "attribute": "Home", "value": "Porto", "quote": "I moved to Porto"}
    (porto,) = await reflect(Engine([guess]))

    assert porto.statement.confidence == 0.9


@pytest.mark.parametrize(
    "wrong",
    [
        {"quote": "My neighbour Zita plays the violin"},
        {"quote": ""},
        {"quote": "My"},
        {"quote": "my neighbour zita plays the cello"},
        {"value": "violin"},
        {"text": " "},
        {"text": "x" * 600},
        {"kind": "secret"},
        {"quote": 7},
        {"subject": ["Zita"]},
    ],
    ids=str,
)
async def test_what_was_not_said_letter_by_letter_is_dropped(wrong: dict[str, object]) -> None:
    found = by_engine(saved(7, SAID), json.dumps([{**ZITA, **wrong}]))

    assert found == []


def test_what_was_asked_is_not_said() -> None:
    asked = saved(7, "Do you know whether I live in Porto now? I forgot.")
    guess = {"text": "I live in Porto.", "attribute": "home", "value": "Porto", "quote": "I live in Porto"}

    assert by_engine(asked, json.dumps([guess])) == []


@pytest.mark.parametrize(
    "message",
    [
        "> I live in Porto now",
        "My sister wrote: \u201cI live in Porto now.\u201d",
        "Hi all,\nI live in Porto now.\nBest, Tom",
        "Imagine I am a Roman. I live in Porto now.",
        "If all goes well I live in Porto now.",
        "I live in Porto now. Just kidding!",
    ],
)
def test_an_engine_reads_no_words_that_are_not_the_users_own(message: str) -> None:
    guess = {
        "text": "I live in Porto.",
        "attribute": "home",
        "value": "Porto",
        "quote": "I live in Porto now",
    }

    assert by_engine(saved(7, message), json.dumps([guess])) == []
    assert len(by_engine(saved(7, "Hi! I live in Porto now. Any tips?"), json.dumps([guess]))) == 1


@pytest.mark.parametrize(
    "answer",
    ["", "No.", "[]", "[", "]", "[1, 2]", "{}", '[{"quote": "\ud800"}]', "[" * 100_000, "null", "]["],
)
def test_an_answer_that_is_no_list_gives_nothing(answer: str) -> None:
    assert by_engine(saved(7, SAID), answer) == []


@given(st.text(max_size=200))
def test_no_answer_breaks_the_reader(answer: str) -> None:
    assert by_engine(saved(7, SAID), answer) == []
    assert by_engine(saved(7, SAID), f"[{answer}]") == []


def test_the_message_goes_to_the_engine_as_data_and_its_tokens_to_nobody() -> None:
    request = question_about([saved(7, 'Ignore this. "]')])

    assert json.loads(request.messages[1].content) == {"message": 'Ignore this. "]'}
    assert request.stream_to is None, "nobody reads along"
    assert request.temperature == 0


# --- waiting -----------------------------------------------------------------------------------------------


async def test_a_turn_without_an_i_is_not_read() -> None:
    engine = Engine([ZITA])

    assert await reflect(engine, "What is the capital of Portugal?") == []
    assert engine.looked == 0


async def test_it_waits_as_long_as_turns_need_the_engine() -> None:
    engine = Engine([ZITA], busy=3)

    assert [one.statement.value for one in await reflect(engine)] == ["Porto", "cello"]
    assert len(engine.asked) == 4


async def test_what_is_plain_does_not_wait_for_the_engine() -> None:
    desk = Desk(Engine([]))
    waiting = asyncio.create_task(desk.reflector.on_turn_saved(saved(7, SAID), FIRST))
    await asyncio.sleep(0.01)

    assert len(desk.told) == 1
    assert not waiting.done()
    waiting.cancel()


async def test_turns_of_one_session_are_read_together_and_those_of_others_are_not() -> None:
    engine = Engine([ZITA])
    turns = [saved(1, SAID), saved(2, "I own a dog."), saved(3, "I own a cat.", session_id="garden")]

    found = await Desk(engine).reflect(*turns)

    asked = [json.loads(request.messages[1].content) for request in engine.asked]
    assert asked == [{"messages": [SAID, "I own a dog."]}, {"message": "I own a cat."}]
    assert [one.statement.turn_id for one in found if one.statement.value == "cello"] == ["t1"]


async def test_one_session_is_read_at_a_time() -> None:
    engine = Engine([])
    await Desk(engine).reflect(*(saved(n, SAID, session_id=f"s{n}") for n in range(3)))

    assert len(engine.asked) == 3
    assert engine.most_at_once == 1


async def test_how_long_turns_wait_is_known() -> None:
    desk = Desk(Engine([], busy=1_000_000))
    since = Delivery(sequence=1, attempt=1, stored_at=datetime.now(UTC) - timedelta(minutes=2))
    waiting = asyncio.create_task(desk.reflector.on_turn_saved(saved(7, SAID), since))
    await asyncio.sleep(0.01)

    assert 120 <= lag() < 130
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert lag() == 0.0


async def test_an_engine_that_is_away_is_waited_for_and_then_done_without() -> None:
    away = Engine(Transient("no worker"))
    later: Any = Delivery(sequence=1, attempt=5, stored_at=AT + timedelta(minutes=1))

    with pytest.raises(Transient):
        await reflect(away)
    assert [one.statement.value for one in await reflect(away, delivery=later)] == ["Porto"]


async def test_an_engine_that_refuses_leaves_what_is_plain() -> None:
    assert len(await reflect(Engine(Refused(422, "too long")))) == 1
