"""What a dead letter says of its message, and what a replay keeps of it."""

from hypothesis import given
from hypothesis import strategies as st

from shared.bus.dead_letters import GivenUp, dead_letter_of, headers_of_replay
from shared.bus.deliveries.troubles import Troubles

ROOM = 20_000
names = st.text(st.characters(codec="ascii"), min_size=1, max_size=30)
values = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=3000)


def given_up(**more: object) -> GivenUp:
    fields: dict[str, object] = {"subject": "turn.saved", "body": b"{}", "reason": "no valid event", **more}
    return GivenUp(durable="indexer-turn-saved", sequence=7, **fields)  # type: ignore[arg-type]  # fields by name


@given(st.dictionaries(names, values, max_size=8), st.binary(max_size=2 * ROOM), values)
def test_a_letter_always_fits_and_always_has_its_reason(
    headers: dict[str, str], body: bytes, reason: str
) -> None:
    kept, told = dead_letter_of(given_up(headers=headers, body=body, reason=reason), room=ROOM)

    on_the_wire = 12 + sum(len(f"{name}: {value}\r\n".encode()) for name, value in told.items()) + len(kept)
    assert on_the_wire <= ROOM
    assert body.startswith(kept)
    assert ("Pandora-Cut-From-Bytes" in told) == (len(kept) < len(body))
    assert told["Pandora-Reason"] == " ".join(reason.split())[:1000]


def test_a_message_id_that_fills_the_whole_message_leaves_room_for_the_letter() -> None:
    _, told = dead_letter_of(given_up(headers={"Nats-Msg-Id": "x" * 2 * ROOM}), room=ROOM)

    assert told["Pandora-Message-Id"] == "x" * 1000
    assert "Pandora-Cut-From-Bytes" not in told


def test_jetstreams_own_headers_and_names_that_cannot_be_sent_are_left_out() -> None:
    sent = {"Nats-Msg-Id": "t1:turn.saved", "nats-ttl": "1s", "a(b)": "c", "ce-id": "t1:turn.saved"}

    _, told = dead_letter_of(given_up(headers=sent), room=ROOM)

    assert told["Nats-Msg-Id"] == "indexer-turn-saved:7"
    assert told["Pandora-Message-Id"] == "t1:turn.saved"
    assert {name for name in told if not name.startswith(("Nats-", "Pandora-"))} == {"ce-id"}


def test_a_replay_has_the_senders_headers_and_an_id_of_the_letter() -> None:
    _, told = dead_letter_of(given_up(headers={"ce-id": "t1", "Nats-Msg-Id": "t1:turn.saved"}), room=ROOM)

    assert headers_of_replay(told, "indexer-turn-saved", 3) == {
        "ce-id": "t1",
        "Pandora-Subject": "turn.saved",
        "Pandora-Message-Id": "t1:turn.saved",
        "Nats-Msg-Id": "indexer-turn-saved:replay:3",
    }


def test_the_troubles_of_the_oldest_messages_are_forgotten_first() -> None:
    troubles = Troubles()
    for sequence in range(10_001):
        troubles.note(sequence, f"error {sequence}", is_transient=False)

    assert troubles.note(0, "again", is_transient=False).errors == 1
    assert troubles.note(10_000, "again", is_transient=True).first_error == "error 10000"
