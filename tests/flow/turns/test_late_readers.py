"""Events that are read after the end of their turn, over HTTP, through every real part."""

from tests.flow.turns.http_turns import events_of
from tests.stack import Stack


async def test_a_reader_who_has_everything_is_let_go(stack: Stack) -> None:
    last = await stack.ask("The mill is old.")

    assert await events_of(stack, last["turn_id"], after=last["index"]) == []
    assert await events_of(stack, last["turn_id"], after=last["index"] + 100) == []


async def test_every_event_is_there_long_after_the_live_ones_have_expired(stack: Stack) -> None:
    events = await stack.stream("The mill has two wheels.")
    turn_id = events[-1]["turn_id"]
    await purge_live(stack, turn_id)

    assert await events_of(stack, turn_id) == events
    assert await events_of(stack, turn_id, after=4) == events[5:]
    assert (await stack.call("GET", f"/v1/turns/{turn_id}/events", user="bob"))[0] == 404


async def purge_live(stack: Stack, turn_id: str) -> None:
    client = await stack.bus("orchestrator")
    try:
        await client.jetstream().purge_stream("LIVE", subject=f"turn.stream.{turn_id}")
    finally:
        await client.close()
