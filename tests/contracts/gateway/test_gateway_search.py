"""Search over HTTP, in front of an indexer of a few lines."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.bus.connection import Bus
from shared.contract.requests import KINDS, Search
from tests.contracts.gateway.gateway_room import Client, Indexer, gateway_over_http

DAY = datetime(2023, 5, 8, tzinfo=UTC)


@pytest.fixture
async def client(bus: Bus, indexer: Indexer) -> AsyncIterator[Client]:
    async with gateway_over_http(bus, admin_users="alice") as connected:
        yield connected


async def test_a_search_is_asked_as_it_was_meant(client: Client, indexer: Indexer) -> None:
    await client.call("POST", "/v1/search", {"query": "bees"})
    await client.call(
        "POST",
        "/v1/search",
        {
            "query": "bees",
            "limit": 3,
            "kinds": ["turn", "memory"],
            "session_id": "my session",
            "speaker": "Mira",
            "since": "2023-05-08",
            "until": "2023-05-08",
            "explain": True,
            "user": "bob",
        },
    )
    await client.call("POST", "/v1/search", {"query": "bees", "since": "2023-05-08T02:00:00+02:00"})

    assert indexer.searches == [
        Search(user="alice", query="bees", limit=10, kinds=list(KINDS)),
        Search(
            user="bob",
            query="bees",
            limit=3,
            kinds=["turn", "memory"],
            session_id="my session",
            speaker="Mira",
            since=DAY,
            until=DAY + timedelta(days=1, microseconds=-1),
            explain=True,
        ),
        Search(user="alice", query="bees", since=DAY),
    ]


async def test_a_hit_says_what_it_stands_on(client: Client) -> None:
    await client.call(
        "POST",
        "/v1/imports",
        b'{"session_id": 1, "message_id": 7, "speaker": "Mira", "text": "I keep bees.", "at": "8 May 2023"}',
    )

    _, mine = await client.call("POST", "/v1/search", {"query": "bees"})
    _, others = await client.call("POST", "/v1/search", {"query": "bees"}, user="bob")

    [hit] = mine["hits"]
    assert (hit["kind"], hit["message_ids"], hit["session_id"]) == ("turn", ["7"], "1")
    assert (hit["speaker"], hit["at"], hit["text"]) == ("Mira", "2023-05-08T00:00:00Z", "I keep bees.")
    assert others == {"hits": []}


@pytest.mark.parametrize("named", ["alice", "carol"])
async def test_only_an_admin_searches_for_others(client: Client, indexer: Indexer, named: str) -> None:
    status, problem = await client.call("POST", "/v1/search", {"query": "x", "user": named}, user="bob")
    own, _ = await client.call("POST", "/v1/search", {"query": "x", "user": "bob"}, user="bob")

    assert (status, problem["field"], own) == (404, "user", 200)
    assert [search.user for search in indexer.searches] == ["bob"]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"query": " "}, "query", "empty"),
        ({"kinds": ["turn", "dragon"]}, "kinds[1]", "'dragon'"),
        ({"kinds": []}, "kinds", "length"),
        ({"since": "8 May 2023"}, "since", "ISO 8601"),
        ({"until": "soon"}, "until", "ISO 8601"),
        ({"until": 1683554160}, "until", "Expected `str"),
        ({"since": "2023-05-09", "until": "2023-05-08"}, "until", "before since"),
        ({"speaker": ""}, "speaker", "length"),
        ({"session_id": "a\nb"}, "session_id", "matching"),
        ({"user": "a b"}, "user", "matching"),
        ({"explain": 1}, "explain", "Expected `bool`"),
        ({"limit": 101}, "limit", "<= 100"),
        ({"colour": "red"}, "colour", "unknown field"),
    ],
    ids=str,
)
async def test_a_wrong_search_is_refused_with_its_field(
    client: Client, fields: dict[str, Any], field: str, words: str
) -> None:
    status, problem = await client.call("POST", "/v1/search", {"query": "x"} | fields)

    assert (status, problem["field"]) == (422, field), problem
    assert words in problem["detail"]
