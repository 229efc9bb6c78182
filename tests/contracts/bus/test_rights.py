"""Each process connects with its own credentials, and the server refuses what the contract does not give it.

All subjects of the contract are tried by everyone, so that a new one is tried too.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from deploy.local.nats_users import add_user, user_seed, write_users
from shared.bus.durables import DURABLES
from shared.bus.identity import seed_file
from shared.bus.rights import IDENTITIES, OPERATOR, SERVICES, inbox_of, inbox_of_user
from shared.bus.streams import STREAMS
from shared.contract import subjects
from shared.contract.users import subject_for
from shared.contract.ways import ANYONE, routes
from tests.servers.nats import NatsServer, nats_in_hand
from tests.unit.cli.upkeep.test_nothing_runs import pandora

BUCKETS = [str(one.name).removeprefix("KV_") for one in STREAMS if str(one.name).startswith("KV_")]
WRITTEN = {
    "gateway": ("idempotency", "chats"),
    "orchestrator": [bucket for bucket in BUCKETS if bucket != "api-keys"],
    OPERATOR: ("api-keys",),
}
"""Who writes the values of which buckets."""
NOBODY_S = (
    *("STREAM.DELETE.{}", "STREAM.SNAPSHOT.{}", "STREAM.RESTORE.{}", "STREAM.LEADER.STEPDOWN.{}"),
    "STREAM.PEER.REMOVE.{}",
)
"""Of the API of JetStream: what no process of Pandora does to a stream."""
OWNER_S = ("STREAM.CREATE.{}", "STREAM.UPDATE.{}", "STREAM.PURGE.{}", "STREAM.MSG.DELETE.{}")
READERS = ("STREAM.MSG.GET.{}", "DIRECT.GET.{}", "CONSUMER.CREATE.{}")


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[NatsServer, Path]]:
    folder = tmp_path_factory.mktemp("nats")
    for user in ("alice.a", "bob"):
        add_user(folder / "users", user)
    write_users(folder / "users", folder / "nats.conf")
    async with nats_in_hand("-c", str(folder / "nats.conf"), "-l", str(folder / "nats.log")) as started:
        yield started, folder


class Tries:
    """One connection, and what the server refused it."""

    def __init__(self, client: Client, refused: list[str]) -> None:
        self._client = client
        self._refused = refused

    async def publish(self, names: Iterator[str]) -> set[str]:
        """The subjects, of these, to which it may not publish."""
        return await self._try(names, "publish")

    async def subscribe(self, names: Iterator[str]) -> set[str]:
        return await self._try(names, "subscription")

    async def _try(self, names: Iterator[str], what: str) -> set[str]:
        tried = {name.lower(): name for name in names}
        self._refused.clear()
        for name in tried.values():
            if what == "publish":
                await self._client.publish(name, b"")
            else:
                await self._client.subscribe(name)
        for _ in range(3):  # nats-py sends the first one before what waits in the client.
            await self._client.flush()
        found = (re.search(rf'violation for {what} to "([^"]+)"', line) for line in self._refused)
        return {tried[one[1]] for one in found if one}


@pytest.fixture(params=IDENTITIES)
async def one(
    request: pytest.FixtureRequest, server: tuple[NatsServer, Path]
) -> AsyncIterator[tuple[str, Tries]]:
    started, folder = server
    identity: str = request.param
    async with connected(started, seed_file(folder / "users", identity), inbox_of(identity)) as tries:
        yield identity, tries


@asynccontextmanager
async def connected(server: NatsServer, seed: Path, inbox: str) -> AsyncIterator[Tries]:
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error).lower())

    client = await nats.connect(server.url, nkeys_seed=str(seed), inbox_prefix=inbox, error_cb=note)
    yield Tries(client, refused)
    await client.close()


def concrete(address: str) -> list[str]:
    """Subjects as they are sent."""
    if address == subjects.BUCKETS:
        return [f"$KV.{bucket}.a.b" for bucket in BUCKETS]
    if address in (subjects.DEAD_LETTERS, subjects.REPLAYS):
        return [re.sub(r"{\w+}", durable.name, address) for durable in DURABLES]
    return [re.sub(r"{\w+}", "x1", address)]


def wide(address: str) -> str:
    return ".".join("*" if part.startswith("{") else part for part in address.split("."))


async def test_it_may_send_what_the_contract_says_and_nothing_else(one: tuple[str, Tries]) -> None:
    identity, tries = one
    every = {name for route in routes() for name in concrete(route.address)}
    own = {identity, ANYONE} if identity in ("gateway", OPERATOR) else {identity}
    allowed = {name for route in routes() if own & set(route.way.senders) for name in concrete(route.address)}
    if identity in SERVICES:  # Only its own letters.
        allowed = {name for name in allowed if not name.startswith("dead.") or f"dead.{identity}-" in name}
    allowed = {name for name in allowed if not name.startswith("$KV.")}
    allowed |= {f"$KV.{bucket}.a.b" for bucket in WRITTEN.get(identity, ())}
    if identity == "orchestrator":  # A replay of what has no subject of its own for replays.
        allowed |= {"turn.requested", "forget.requested"}
        allowed -= {"replay.orchestrator-forget-requested"}

    assert await tries.publish(iter(sorted(every))) == every - allowed


async def test_it_may_hear_what_the_contract_says_and_nothing_else(one: tuple[str, Tries]) -> None:
    identity, tries = one
    stored = (subjects.BUCKETS, subjects.REPLAYS)
    every = {wide(route.address) for route in routes() if route.address not in stored}
    allowed = {
        wide(route.address)
        for route in routes()
        if identity in route.way.receivers or (ANYONE in route.way.receivers and identity == OPERATOR)
    }

    assert await tries.subscribe(iter(sorted(every))) == every - allowed
    if identity != "gateway":
        everything = {"user.>", "user.*.*"}
        assert await tries.subscribe(iter(sorted(everything))) == everything
    everything = {">", "*.*", "turn.>", "_INBOX.>", "_INBOX.*.*", "$JS.>", "$KV.>", "$SYS.>"}
    assert await tries.subscribe(iter(sorted(everything))) == everything


async def test_it_hears_no_answers_of_others_and_answers_only_those_who_may_ask(
    one: tuple[str, Tries],
) -> None:
    identity, tries = one
    others = {f"{inbox_of(other)}.>" for other in IDENTITIES if other != identity}
    asked = [route.way for route in routes() if route.is_asked and identity in route.way.receivers]
    askers = {party for way in asked for party in way.senders} | {OPERATOR}
    askers |= {"gateway"} if ANYONE in askers else set()

    assert await tries.subscribe(iter(sorted(others))) == others
    if identity in SERVICES:
        strangers = {f"{inbox_of(other)}.a.b" for other in IDENTITIES if other not in askers}
        assert await tries.publish(iter(sorted(strangers))) == strangers


async def test_only_the_owner_of_a_stream_changes_it_and_no_process_removes_it(
    one: tuple[str, Tries],
) -> None:
    identity, tries = one
    names = [str(stream.name) for stream in STREAMS]
    nobody_s = {f"$JS.API.{verb.format(name)}" for verb in NOBODY_S for name in names}
    owner_s = {f"$JS.API.{verb.format(name)}" for verb in OWNER_S for name in names}
    read = {f"$JS.API.{verb.format(name)}" for verb in READERS for name in names}

    assert await tries.publish(iter(sorted(nobody_s))) == nobody_s
    refused = owner_s - await tries.publish(iter(sorted(owner_s)))
    reads = read - await tries.publish(iter(sorted(read)))
    kept = {"gateway": ("KV_chats", "KV_idempotency"), "indexer": ("OUTCOMES", "MEMORIES", "RESEARCH")}
    match identity:
        case "orchestrator":  # It makes the bucket of keys, and does not read it.
            keys = {one for one in owner_s | read if one.endswith("KV_api-keys")}
            assert owner_s - refused == {
                one for one in keys & owner_s if "CREATE" not in one and "UPDATE" not in one
            }
            assert read - reads == keys & read
        case "gateway" | "indexer":
            assert {one.rpartition(".")[2] for one in refused} == set(kept[identity])
            assert not any("CREATE" in one or "UPDATE" in one for one in refused)
        case _:
            assert refused == set()
    if identity == "inference":
        assert reads == set()
    if identity == "gateway":
        assert {one.rpartition(".")[2] for one in reads} == {*kept["gateway"], "LIVE", "KV_api-keys"}


async def test_a_user_sends_and_hears_nothing_but_what_is_named_after_this_user(
    server: tuple[NatsServer, Path],
) -> None:
    started, folder = server
    user = "alice.a"
    every = {name for route in routes() for name in concrete(route.address)}
    others = {"user.bob.index.search", "user.alice.index.search", "user.alice.a.index.search", "$JS.API.INFO"}
    inboxes = {"_INBOX.>", "_INBOX.user.>", "_INBOX.user.*.>", "_INBOX.user.bob.>", "_INBOX.gateway.>"}
    heard = {wide(route.address) for route in routes()} | {"user.>", "user.*.>", ">"} | inboxes

    async with connected(started, user_seed(folder / "users", user), inbox_of_user(user)) as tries:
        assert await tries.publish(iter(sorted(every | others))) == every | others
        assert await tries.subscribe(iter(sorted(heard))) == heard
        own = [subject_for(user, name) for name in ("index.search", "turn.requested", "turn.control.t1")]
        assert await tries.publish(iter(own)) == set()
        assert await tries.subscribe(iter([f"{inbox_of_user(user)}.x.y"])) == set()


async def test_who_shows_no_seed_is_refused_and_the_log_says_what_was_tried(
    server: tuple[NatsServer, Path], one: tuple[str, Tries]
) -> None:
    started, folder = server
    _, tries = one

    reader, writer = await asyncio.open_connection("127.0.0.1", started.port)
    writer.write(b"CONNECT {}\r\nPING\r\n")
    answer = await reader.read()
    writer.close()
    await tries.publish(iter(["index.secret"]))

    assert b"-ERR 'Authorization Violation'" in answer
    assert "Publish Violation" in (folder / "nats.log").read_text()  # `Stack.refused` looks for this.


async def test_a_command_says_that_its_credentials_are_not_taken(
    server: tuple[NatsServer, Path], tmp_path: Path
) -> None:
    write_users(tmp_path / "users", tmp_path / "nats.conf")  # Of another installation.
    url = f"nats://127.0.0.1:{server[0].port}"

    ended = await asyncio.to_thread(
        pandora, tmp_path, ["check"], NATS_URL=url, NATS_USERS_DIR=str(tmp_path / "users")
    )

    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"NATS at {url} does not take the credentials of operator in {tmp_path / 'users'}. "
        "Set NATS_USERS_DIR to the folder with those of that server; see docs/nats.md, Credentials."
    ]
