"""Dead letters over a real nats-server: found, read, handed over once more, dropped."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.orchestrator.queue.nats_dead_letters import BusDeadLetters
from shared.bus.connection import Bus
from shared.bus.dead_letters import GivenUp, store_dead_letter
from shared.bus.deliveries import Consumer, Delivery, consuming
from shared.bus.durables import INDEXER_TURN_SAVED
from shared.bus.endpoints import endpoints_of
from shared.contract.errors import Poison, Refused
from shared.contract.events import Event, TurnRequested, TurnSaved, decode, encode
from shared.contract.requests import Request
from shared.contract.requests.dead_letters import (
    DeadLetterSettled,
    DropDeadLetter,
    ListDeadLetters,
    ReplayDeadLetter,
    ShowDeadLetter,
)
from tests.servers.nats import bus_to, state, until
from tests.unit.samples import requested, saved


@pytest.fixture
async def asking(url: str, bus: Bus) -> AsyncIterator[Bus]:
    """The bus of somebody who asks; an orchestrator on another connection answers."""
    async with bus_to(url, "orchestrator") as orchestrator, asyncio.timeout(30):
        await orchestrator.serve("Dead letters", endpoints_of(BusDeadLetters(orchestrator)))
        yield bus


def given_up(number: int, durable: str = "indexer-turn-saved", **more: object) -> GivenUp:
    event = saved(number, f"déjà vu {number}")
    fields: dict[str, object] = {
        "subject": "turn.saved",
        "body": encode(event),
        "headers": {"Nats-Msg-Id": event.message_id, "ce-id": event.message_id, "x-note": "ça va"},
        "reason": "déjà\r\nvu",
        "attempts": 3,
        "first_error": "the first",
        "last_error": "the last",
        **more,
    }
    return GivenUp(durable=durable, sequence=number, **fields)  # type: ignore[arg-type]  # fields by name


async def test_a_letter_is_shown_with_all_that_is_known_of_it(asking: Bus) -> None:
    await store_dead_letter(asking, given_up(7))

    letter = await asking.ask(ShowDeadLetter(sequence=1))

    assert (letter.durable, letter.attempts) == ("indexer-turn-saved", 3)
    assert (letter.reason, letter.first_error, letter.last_error) == ("déjà vu", "the first", "the last")
    assert (letter.subject, letter.message_id) == ("turn.saved", "t7:turn.saved")
    assert letter.headers == {"ce-id": "t7:turn.saved", "x-note": "ça va"}
    assert decode(TurnSaved, letter.body.encode()) == saved(7, "déjà vu 7")
    assert letter.body_bytes == len(letter.body.encode())


async def test_a_message_that_is_given_up_by_two_processes_is_one_letter(asking: Bus) -> None:
    await store_dead_letter(asking, given_up(7))
    await store_dead_letter(asking, given_up(7))

    assert (await state(asking, "DEAD")).messages == 1


async def test_the_list_goes_page_by_page_without_a_gap_and_without_a_repeat(asking: Bus) -> None:
    for number in range(1, 8):
        await store_dead_letter(asking, given_up(number))
    await asking.ask(DropDeadLetter(sequence=4))

    pages, cursor = [], 0
    while True:
        page = await asking.ask(ListDeadLetters(after=cursor, limit=2))
        pages.append([letter.sequence for letter in page.letters])
        if page.next_cursor is None:
            break
        cursor = page.next_cursor

    assert pages == [[1, 2], [3, 5], [6, 7]]


async def test_nothing_given_up_is_an_empty_list(asking: Bus) -> None:
    assert (await asking.ask(ListDeadLetters())).letters == []


async def test_a_page_of_large_letters_is_shorter_and_goes_on(asking: Bus) -> None:
    for number in range(1, 9):
        await store_dead_letter(asking, given_up(number, body=b"x" * 900_000))

    first = await asking.ask(ListDeadLetters(limit=100))

    assert 1 <= len(first.letters) < 8
    assert first.next_cursor == first.letters[-1].sequence


async def test_what_somebody_else_put_there_does_not_hide_the_letters_behind_it(asking: Bus) -> None:
    await asking.jetstream.publish("dead.letter", b"\xff", headers={"Status": "204", "Pandora-Attempts": "x"})
    await store_dead_letter(asking, given_up(2))

    listed = (await asking.ask(ListDeadLetters())).letters

    assert [(letter.durable, letter.attempts) for letter in listed] == [
        ("letter", 0),
        ("indexer-turn-saved", 3),
    ]
    assert (await asking.ask(ShowDeadLetter(sequence=1))).body == "\ufffd"
    with pytest.raises(Refused, match="no durable letter") as refusal:
        await asking.ask(ReplayDeadLetter(sequence=1))
    assert refusal.value.status == 409


async def test_a_replay_reaches_its_durable_alone_and_once(url: str, asking: Bus) -> None:
    """The indexer gives a turn up, somebody mends it, the letter is replayed: twice, to be sure."""
    came: list[TurnSaved] = []
    is_mended = False

    async def handle(event: TurnSaved, delivery: Delivery) -> list[Event]:
        came.append(event)
        if not is_mended:
            raise Poison("the table is locked")
        return []

    others = await asking.jetstream.pull_subscribe("turn.saved", "somebody-else", "OUTCOMES")
    async with bus_to(url, "indexer") as own:
        consumer = Consumer(own, INDEXER_TURN_SAVED, handle, workers=4)
        async with consuming(own, consumer):
            await asking.publish(saved(1))
            await until(asking, "DEAD", 1)
            is_mended = True
            settled = [await asking.ask(ReplayDeadLetter(sequence=1)) for _ in range(2)]
            while len(came) < 2:  # noqa: ASYNC110 - the handler only notes
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)

    assert settled == [DeadLetterSettled(sequence=1, done=True), DeadLetterSettled(sequence=1, done=False)]
    assert came == [saved(1), saved(1)]
    assert (await state(asking, "DEAD")).messages == 0
    assert [message.data for message in await others.fetch(5, timeout=4)] == [encode(saved(1))]


async def test_replays_at_the_same_time_are_stored_once(asking: Bus) -> None:
    await store_dead_letter(asking, given_up(7))

    settled = await asyncio.gather(*(asking.ask(ReplayDeadLetter(sequence=1)) for _ in range(8)))

    assert sum(one.done for one in settled) == 1
    assert (await state(asking, "OUTCOMES")).messages == 1


async def test_a_replay_that_broke_off_before_its_letter_was_removed_is_stored_once(asking: Bus) -> None:
    """As if the process had died right after the message was stored."""
    await store_dead_letter(asking, given_up(7))
    await asking.store(
        "replay.indexer-turn-saved", b"the same", {"Nats-Msg-Id": "indexer-turn-saved:replay:1"}
    )

    assert (await asking.ask(ReplayDeadLetter(sequence=1))).done

    assert (await state(asking, "OUTCOMES")).messages == 1
    assert (await state(asking, "DEAD")).messages == 0


async def test_a_replayed_message_has_its_senders_headers_and_its_bytes(asking: Bus) -> None:
    await store_dead_letter(asking, given_up(7, body=b"\xff\x00"))

    await asking.ask(ReplayDeadLetter(sequence=1))

    stored = await asking.jetstream.get_msg("OUTCOMES", seq=1, direct=False)
    assert (stored.subject, stored.data) == ("replay.indexer-turn-saved", b"\xff\x00")
    headers = stored.headers or {}
    assert headers["ce-id"] == "t7:turn.saved"
    assert "Pandora-Reason" not in headers


async def test_a_letter_that_is_given_up_again_still_says_where_it_came_from(asking: Bus) -> None:
    await store_dead_letter(asking, given_up(7))
    await asking.ask(ReplayDeadLetter(sequence=1))
    again = await asking.jetstream.get_msg("OUTCOMES", seq=1)
    headers = {name: str(value) for name, value in (again.headers or {}).items()}
    await store_dead_letter(asking, given_up(8, subject=again.subject, headers=headers))

    letter = await asking.ask(ShowDeadLetter(sequence=2))

    assert (letter.subject, letter.message_id) == ("turn.saved", "t7:turn.saved")


async def test_a_turn_is_replayed_into_the_queue_of_turns(asking: Bus) -> None:
    letter = given_up(7, "orchestrator-turn-requested", body=encode(requested("t1")))
    await store_dead_letter(asking, letter)

    await asking.ask(ReplayDeadLetter(sequence=1))

    stored = await asking.jetstream.get_last_msg("TURNS", "turn.requested")
    assert decode(TurnRequested, stored.data or b"") == requested("t1")


async def test_a_letter_with_a_part_of_its_message_is_not_replayed(asking: Bus) -> None:
    await store_dead_letter(asking, given_up(7, body=b"x" * (asking.connection.max_payload - 50)))

    with pytest.raises(Refused, match="only a part") as refusal:
        await asking.ask(ReplayDeadLetter(sequence=1))

    assert refusal.value.status == 409
    shown = await asking.ask(ShowDeadLetter(sequence=1))
    assert shown.body_bytes > len(shown.body)


async def test_a_dropped_letter_is_gone_and_may_be_dropped_again(asking: Bus) -> None:
    await store_dead_letter(asking, given_up(7))

    settled = [await asking.ask(DropDeadLetter(sequence=1)) for _ in range(2)]

    assert [one.done for one in settled] == [True, False]
    assert (await state(asking, "DEAD")).messages == 0
    with pytest.raises(Refused, match="was replayed or dropped") as refusal:
        await asking.ask(ShowDeadLetter(sequence=1))
    assert refusal.value.status == 404


@pytest.mark.parametrize("sequence", [-1, 0, 1, 2**63 - 1, 2**63, 2**70])
async def test_a_letter_that_never_was_is_not_found(asking: Bus, sequence: int) -> None:
    requests: list[Request[Any]] = [
        ShowDeadLetter(sequence=sequence),
        ReplayDeadLetter(sequence=sequence),
        DropDeadLetter(sequence=sequence),
    ]
    for request in requests:
        with pytest.raises(Refused, match="there is no dead letter") as refusal:
            await asking.ask(request)

        assert refusal.value.status == 404


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 101}, {"after": -1}, {"after": 2**63}])
async def test_a_page_that_cannot_be_is_refused(asking: Bus, asked: dict[str, int]) -> None:
    with pytest.raises(Refused) as refusal:
        await asking.ask(ListDeadLetters(**asked))

    assert (refusal.value.status, refusal.value.field) == (422, next(iter(asked)))
