"""The recipes of sessions, in a real bucket."""

import asyncio
from datetime import timedelta

import pytest

from services.orchestrator.conversations.nats import BusConversationTexts
from services.orchestrator.forgetting.nats import BusTraces
from services.orchestrator.recipes.nats import BusSessionRecipes, WatchedSessionRecipes
from shared.bus.buckets import Bucket, key_from
from shared.bus.connection import Bus
from shared.bus.streams import SESSION_SETTINGS
from shared.contract.events import ForgetRequested, ForgetScope
from tests.servers.nats import state
from tests.unit.samples import AT

LATER = AT + timedelta(seconds=1)


@pytest.fixture
def recipes(bus: Bus) -> BusSessionRecipes:
    return BusSessionRecipes(bus)


def order(scope: ForgetScope, target: str = "") -> ForgetRequested:
    return ForgetRequested(forget_id="f1", user="alice", scope=scope, target=target, requested_at=AT)


async def test_the_last_one_that_is_set_holds(recipes: BusSessionRecipes) -> None:
    assert await recipes.recipe_of("alice", "kitchen") == ""

    await recipes.keep("alice", "kitchen", "direct", AT)
    await asyncio.gather(*(recipes.keep("alice", "kitchen", "standard", AT) for _ in range(8)))

    assert await recipes.recipe_of("alice", "kitchen") == "standard"
    assert await recipes.recipe_of("bob", "kitchen") == ""
    assert await recipes.recipe_of("alice", "garden") == ""


async def test_turns_learn_of_what_is_set_changed_and_taken_away(
    bus: Bus, recipes: BusSessionRecipes
) -> None:
    async def missing() -> None:
        raise AssertionError("the bucket is there")

    await recipes.keep("alice", "kitchen", "standard", AT)
    watched = WatchedSessionRecipes(bus, missing=missing)
    assert await watched.recipe_of("alice", "kitchen") == "standard", "before it has read anything"
    reading = asyncio.create_task(watched.run())

    async def becomes(session_id: str, recipe: str) -> None:
        async with asyncio.timeout(5):
            while await watched.recipe_of("alice", session_id) != recipe:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)

    await recipes.keep("alice", "garden", "direct", AT)
    await becomes("garden", "direct")
    await recipes.keep("alice", "garden", "standard", AT)
    await becomes("garden", "standard")
    await recipes.keep("alice", "garden", "", AT)
    await becomes("garden", "")
    await becomes("kitchen", "standard")
    assert await watched.recipe_of("alice", "hall") == ""
    reading.cancel()


async def test_an_empty_one_leaves_no_key(bus: Bus, recipes: BusSessionRecipes) -> None:
    await recipes.keep("alice", "kitchen", "standard", AT)

    await recipes.keep("alice", "kitchen", "", AT)
    await recipes.keep("alice", "garden", "", AT)

    assert await recipes.recipe_of("alice", "kitchen") == ""
    assert (await state(bus, str(SESSION_SETTINGS.name))).messages == 0


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (order("session", "kitchen"), {"garden", "hall"}),
        (order("user"), {"hall"}),
        (order("turn", "t1"), {"kitchen", "garden", "hall"}),
        (order("memory", "m1"), {"kitchen", "garden", "hall"}),
    ],
)
async def test_what_was_set_before_goes_with_its_session(
    recipes: BusSessionRecipes, asked: ForgetRequested, left: set[str]
) -> None:
    for session_id, at in (("kitchen", AT), ("garden", AT), ("hall", LATER)):
        await recipes.keep("alice", session_id, "standard", at)
    await recipes.keep("bob", "kitchen", "standard", AT)

    removed = await recipes.forget(asked)

    found = {name for name in ("kitchen", "garden", "hall") if await recipes.recipe_of("alice", name)}
    assert (found, removed) == (left, 3 - len(left))
    assert await recipes.forget(asked) == 0
    assert await recipes.recipe_of("bob", "kitchen") == "standard"


async def test_what_clients_keep_with_a_conversation_goes_with_its_session(
    bus: Bus, recipes: BusSessionRecipes
) -> None:
    texts = BusConversationTexts(bus)
    for session_id, at in (("kitchen", AT), ("kitchen.2", AT), ("hall", LATER)):
        await texts.keep("alice", session_id, {"topic": session_id}, at)
    await recipes.keep("alice", "kitchen", "standard", AT)

    assert await recipes.recipe_of("alice", "kitchen.2") == ""
    assert await recipes.sessions_of("alice") == ["kitchen"]
    assert await recipes.forget(order("session", "kitchen")) == 2
    assert await texts.texts_of("alice", "kitchen") is None
    assert await texts.texts_of("alice", "kitchen.2") == {"topic": "kitchen.2"}
    assert await recipes.forget(order("user")) == 1
    assert await texts.texts_of("alice", "hall") == {"topic": "hall"}


async def test_old_bytes_are_pushed_out_and_what_holds_stays(bus: Bus, recipes: BusSessionRecipes) -> None:
    await recipes.keep("alice", "kitchen", "standard", AT)

    await BusTraces(bus, replicas=1).erase()

    assert await recipes.recipe_of("alice", "kitchen") == "standard"
    assert await recipes.forget(order("user")) == 1
    assert (await state(bus, str(SESSION_SETTINGS.name))).messages == 0


async def test_all_that_is_set_is_listed_by_session(bus: Bus, recipes: BusSessionRecipes) -> None:
    for session_id in ("kitchen", "garden", "z.1", "hall"):
        await recipes.keep("alice", session_id, "standard", AT)
    await recipes.keep("alice", "hall", "", AT)
    await recipes.keep("alic", "attic", "standard", AT)
    mine = key_from("alice")
    for key in (f"{mine}.no-base64!", f"{mine}.{key_from('a', 'b')}"):
        await Bucket(bus, SESSION_SETTINGS).put(key, b"{}", revision=0)

    assert await recipes.sessions_of("alice") == ["garden", "kitchen", "z.1"]
    assert await recipes.sessions_of("bob") == []


async def test_what_cannot_be_read_is_as_good_as_nothing(
    bus: Bus, recipes: BusSessionRecipes, caplog: pytest.LogCaptureFixture
) -> None:
    await Bucket(bus, SESSION_SETTINGS).put(key_from("alice", "kitchen"), b"standard", revision=0)

    assert await recipes.recipe_of("alice", "kitchen") == ""

    assert "cannot be read" in caplog.text
    assert await recipes.forget(order("session", "kitchen")) == 1
