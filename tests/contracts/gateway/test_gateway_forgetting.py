"""What is deleted over HTTP: stored as a request to forget, and answered with its receipt."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from services.gateway.forgetting import orders as forgetting
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoint, endpoints_of
from shared.bus.streams import FORGETTING
from shared.contract.errors import Refused, Transient
from shared.contract.events import ForgetRequested, decode
from shared.contract.memories import Memory
from shared.contract.requests import GetMemory, GetReceipt, Receipt
from tests.contracts.gateway.gateway_room import Client, Orchestrator, gateway_over_http, unended
from tests.servers.nats import bus_to, state
from tests.unit.samples import AT, record


class Notes:
    """An indexer that answers with the states of `says`, the last one for ever. None: not begun."""

    def __init__(self) -> None:
        self.says: list[str | Exception | None] = ["forgotten"]

    @endpoint
    async def receipt(self, request: GetReceipt) -> Receipt:
        says = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(says, Exception):
            raise says
        if says is None:
            raise Refused(404, "nothing was forgotten yet")
        receipt = Receipt(
            forget_id=request.forget_id,
            user=request.user,
            scope="user",
            target="",
            requested_at=AT,
            state="pending",
            erased_by=AT,
        )
        return msgspec.structs.replace(receipt, state=says)

    @endpoint
    async def memory(self, request: GetMemory) -> Memory:
        raise Refused(404, f"there is no memory {request.memory_id}")


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def orchestrator() -> Orchestrator:
    answers = Orchestrator()
    answers.records["t1"] = record(1)
    answers.unended["t2"] = unended("t2")
    return answers


@pytest.fixture
async def client(bus: Bus, url: str, notes: Notes, orchestrator: Orchestrator) -> AsyncIterator[Client]:
    async with bus_to(url, "indexer") as indexer, bus_to(url, "orchestrator") as other:
        await indexer.serve("a few lines", endpoints_of(notes))
        await other.serve("a few lines", endpoints_of(orchestrator))
        async with gateway_over_http(bus, admin_users="alice") as connected:
            yield connected


async def orders(bus: Bus) -> list[ForgetRequested]:
    name = str(FORGETTING.name)
    count = (await state(bus, name)).messages
    stored = [await bus.jetstream.get_msg(name, seq=number) for number in range(1, count + 1)]
    return [decode(ForgetRequested, message.data or b"") for message in stored]


@pytest.mark.parametrize(
    ("path", "user", "scope", "target"),
    [
        ("/v1/turns/t1", "alice", "turn", "t1"),
        ("/v1/turns/t2", "alice", "turn", "t2"),
        ("/v1/sessions/caf%C3%A9%20talk", "alice", "session", "caf\u00e9 talk"),
        ("/v1/%73essions/..%2F..%2Fetc%2fpasswd", "alice", "session", "../../etc/passwd"),
        ("/v1/sessions/%252F", "alice", "session", "%2F"),
        ("/v1/sessions/%2F", "alice", "session", "/"),
        ("/v1/sessions/a@b;c=d", "alice", "session", "a@b;c=d"),
        ("/v1/sessions/..", "alice", "session", ".."),
        ("/v1/sessions/%2E%2E", "alice", "session", ".."),
        ("/v1/sessions?session_id=..", "alice", "session", ".."),
        ("/v1/users/me/data", "alice", "user", ""),
        ("/v1/users/bob/data", "bob", "user", ""),
    ],
)
async def test_what_is_deleted_is_asked_to_be_forgotten(
    client: Client, bus: Bus, path: str, user: str, scope: str, target: str
) -> None:
    async with client.open("DELETE", path) as response:
        receipt = await response.json()
        assert response.status == 200, receipt
        where = response.headers["location"]

    (order,) = await orders(bus)
    assert (order.user, order.scope, order.target) == (user, scope, target)
    assert receipt["forget_id"] == order.forget_id
    assert where == f"/v1/users/{user}/forgets/{order.forget_id}"
    assert (await client.call("GET", where))[0] == 200


async def test_who_asks_is_told_how_far_it_is(
    client: Client, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.says = [None, Transient("a table is being written anew"), "pending", "forgotten"]
    assert (await client.call("DELETE", "/v1/users/me/data"))[1]["state"] == "forgotten"

    monkeypatch.setattr(forgetting, "_WAIT_SECONDS", 0.3)
    notes.says = [None]
    status, receipt = await client.call("DELETE", "/v1/users/me/data")
    assert (status, receipt["state"]) == (202, "pending"), "stored, and not begun with"
    notes.says = ["pending"]
    assert (await client.call("DELETE", "/v1/users/me/data"))[0] == 202


@pytest.mark.parametrize(("query", "now"), [("", False), ("?now=true", True)])
async def test_the_bytes_go_at_once_where_that_is_asked_for(
    client: Client, bus: Bus, query: str, now: bool
) -> None:
    await client.call("DELETE", f"/v1/turns/t1{query}")

    assert [order.now for order in await orders(bus)] == [now]


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        ("/v1/turns/none", "alice", 404),
        ("/v1/turns/t1", "bob", 404),
        ("/v1/turns/t2", "bob", 404),
        ("/v1/memories/none", "alice", 404),
        ("/v1/users/alice/data", "bob", 404),
        ("/v1/users/a%20b/data", "alice", 422),
        ("/v1/users/a%2Fdata", "alice", 404),
        ("/v1/sessions//work", "alice", 404),
        ("/v1/sessions/work/", "alice", 404),
        ("/v1/sessions/%FF", "alice", 422),
        ("/v1/sessions/a%0Ab", "alice", 422),
        ("/v1/sessions", "alice", 422),
    ],
)
async def test_what_is_refused_is_not_stored(
    client: Client, bus: Bus, path: str, user: str, status: int
) -> None:
    assert (await client.call("DELETE", path, user=user))[0] == status
    assert await orders(bus) == []
