"""What travels on a real nats-server is in the contract, and the services answer all of it."""

import json
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.micro.service import ServiceInfo

from tests.contracts.orchestrator.images_room import image_bytes
from tests.stack import ROOT, Stack

DOCUMENT = json.loads((ROOT / "docs" / "asyncapi.json").read_text())
REQUESTS = {
    DOCUMENT["channels"][operation["channel"]["$ref"].rpartition("/")[2]]["address"]
    for operation in DOCUMENT["operations"].values()
    if "queue" in operation.get("bindings", {}).get("nats", {})
}
"""Addresses whose requests one of several processes answers."""
_SERVICES = 4


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[Client]:
    connection = await stack.bus()
    yield connection
    await connection.close()


async def test_no_process_uses_a_subject_that_the_contract_does_not_give_it(stack: Stack) -> None:
    name = f"Odile{uuid4().hex[:6]}"
    told = await stack.tell(f"Remember that my aunt {name} lives in Bergen.")
    await stack.upload("hive.png", image_bytes())
    for path in (
        f"/v1/turns/{told['turn_id']}",
        "/v1/turns",
        "/v1/queue",
        "/v1/memories",
        "/v1/dead-letters",
    ):
        await stack.call("GET", path)
    await stack.call("POST", "/v1/search", {"query": name})
    await stack.call("POST", f"/v1/turns/{told['turn_id']}/cancel")

    assert stack.refused() == []


async def test_the_services_answer_every_request_of_the_document_and_no_other(client: Client) -> None:
    inbox = client.new_inbox()
    replies = await client.subscribe(inbox)
    await client.publish("$SRV.INFO", b"", reply=inbox)

    services: dict[str, set[str]] = {}
    while len(services) < _SERVICES:
        info = ServiceInfo.from_dict(json.loads((await replies.next_msg(5)).data))
        services[info.name] = {endpoint.subject for endpoint in info.endpoints}

    answered = set().union(*services.values())
    # A worker with a name of its own has `inference.generate.<name>`; this installation has none. What one
    # process alone answers is no part of its service.
    own = ("{engine}", "{holder}", "{worker}")
    listed = {re.sub(r"{turn_id}", "*", one) for one in REQUESTS if not one.endswith(own)}
    assert services["pandora-gateway"] == set()
    assert answered == listed
