"""A cancelled turn stays in its session's history, and out of memory."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from shared.contract.events import TurnCancelled, encode
from tests.stack import Stack


async def test_a_cancelled_turn_is_listed_and_never_found(stack: Stack) -> None:
    word = f"zebrafinch{uuid4().hex[:8]}"
    said = await stack.tell(f"The {word} sings at dawn.")
    session_id = said["session_id"]
    before = await stack.counts()
    events = [
        cancelled(session_id, 900_000_001, f"Where does the {word} sing?", "In the"),
        cancelled(session_id, 900_000_002, f"Never mind the {word}.", "", why="replaced"),
        cancelled(session_id, 900_000_003, f"And when does the {word} sing?", ""),
    ]

    client = await stack.bus("orchestrator")
    for event in events:
        headers = {"Nats-Msg-Id": event.message_id}
        await client.jetstream().publish(event.subject, encode(event), headers=headers)
    await client.close()
    async with asyncio.timeout(30):
        while True:
            _, page = await stack.call("GET", f"/v1/turns?session_id={session_id}")
            if len(page["turns"]) == 3:
                break
            await asyncio.sleep(0.05)

    assert [(row["turn_number"], row["status"]) for row in page["turns"]] == [
        (900_000_003, "cancelled"),
        (900_000_001, "cancelled"),
        (said["turn_number"], "saved"),
    ]
    assert (page["turns"][1]["input"], page["turns"][1]["output"]) == (events[0].input, "In the")
    _, found = await stack.call("POST", "/v1/search", {"query": word, "limit": 10})
    assert [hit["turn_number"] for hit in found["hits"] if word in hit["input"]] == [said["turn_number"]]
    after = await stack.counts()
    assert [after[of] for of in ("rows", "messages", "points")] == [
        before[of] for of in ("rows", "messages", "points")
    ]


def cancelled(session_id: str, number: int, said: str, answered: str, **more: str) -> TurnCancelled:
    return TurnCancelled(
        turn_id=str(uuid4()),
        turn_number=number,
        session_id=session_id,
        user="alice",
        cancelled_at=datetime.now(UTC),
        input=said,
        output=answered,
        recipe="direct",
        model="extractive",
        **more,  # type: ignore[arg-type]  # fields by name
    )
