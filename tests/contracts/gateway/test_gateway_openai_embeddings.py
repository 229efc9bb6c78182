"""Embeddings for OpenAI's client: a real gateway and bus, and the packaged model as the indexer has it."""

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import numpy
import openai
import pytest
import pytest_asyncio

from services.indexer.app.embedding import opened_embedder
from services.indexer.embedding.batching import BatchingEmbedder
from services.indexer.embedding.model import PACKAGED_MODEL
from services.indexer.embedding.requests import Embeddings
from services.indexer.settings import IndexerSettings
from shared.bus.connection import Bus
from shared.bus.endpoints import endpoints_of
from shared.contract.requests import MOST_CHARACTERS, MOST_TEXTS
from tests.contracts.gateway.gateway_room import KEYS, Client, gateway_over_http
from tests.contracts.gateway.openai_programs import output_of
from tests.servers.nats import bus_to

BEES = "My sister Mira keeps bees."


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def embedder(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BatchingEmbedder]:
    settings = IndexerSettings.model_validate({"pandora_data_dir": tmp_path_factory.mktemp("data")})
    async with opened_embedder(settings, PACKAGED_MODEL) as loaded:
        yield loaded


@pytest.fixture
async def client(bus: Bus, url: str, embedder: BatchingEmbedder) -> AsyncIterator[Client]:
    async def load() -> BatchingEmbedder:
        return embedder

    async with (
        bus_to(url, "indexer") as indexer,
        gateway_over_http(bus, limit_tokens="100000/day") as connected,
    ):
        await indexer.serve("embeddings", endpoints_of(Embeddings(PACKAGED_MODEL, load)))
        yield connected


@pytest.fixture
async def stock(client: Client) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(
        base_url=f"{client.url}/v1", api_key=KEYS["alice"], max_retries=0
    ) as connected:
        yield connected


async def vectors_of(stock: Any, sent: Any, **more: Any) -> Any:
    answer = await stock.embeddings.create(model=PACKAGED_MODEL, input=sent, **more)
    assert [one.index for one in answer.data] == list(range(len(answer.data)))
    return numpy.array([one.embedding for one in answer.data], numpy.float32)


async def test_their_tokens_count_towards_the_limit(stock: Any) -> None:
    first, second = [
        await stock.embeddings.with_raw_response.create(model=PACKAGED_MODEL, input=BEES) for _ in range(2)
    ]

    used = first.parse().usage.total_tokens
    before, after = (int(one.headers["x-ratelimit-remaining-tokens"]) for one in (first, second))
    assert before - after == used > 0


async def test_the_vectors_are_those_that_memory_is_searched_with(
    stock: Any, embedder: BatchingEmbedder
) -> None:
    asked = [BEES, "The rent has doubled."]
    # The client asks for base64 unless it is told otherwise.
    both = [await vectors_of(stock, asked), await vectors_of(stock, asked, encoding_format="float")]

    own = await embedder.embed(asked)
    for vectors in both:
        assert vectors.shape == (2, 384)
        assert numpy.allclose(vectors, own, atol=1e-5)


async def test_the_program_of_the_page_finds_what_is_near(client: Client) -> None:
    hives, rent = (float(line.split()[0]) for line in (await output_of("near.py", client)).splitlines())

    assert hives > rent + 0.2


async def test_base64_is_the_numbers_as_little_endian_bytes(client: Client) -> None:
    body = {"model": PACKAGED_MODEL, "input": BEES, "dimensions": 384, "user": "u"}
    _, plain = await client.call("POST", "/v1/embeddings", body)
    _, packed = await client.call("POST", "/v1/embeddings", body | {"encoding_format": "base64"})

    [one] = plain["data"]
    unpacked = numpy.frombuffer(b64decode(packed["data"][0]["embedding"]), "<f4")
    assert numpy.array_equal(unpacked, numpy.array(one["embedding"], "<f4"))
    assert (one["object"], plain["object"], plain["model"]) == ("embedding", "list", PACKAGED_MODEL)
    assert plain["usage"] == {"prompt_tokens": 8, "total_tokens": 8}  # Six words and two marks.


async def test_more_texts_than_one_message_takes_come_in_their_order(stock: Any) -> None:
    texts = [f"number {n}" for n in range(2 * MOST_TEXTS + 3)]

    vectors = await vectors_of(stock, texts)
    alone = await vectors_of(stock, texts[MOST_TEXTS])

    assert len(vectors) == len(texts)
    assert numpy.allclose(vectors[MOST_TEXTS], alone[0], atol=1e-3)


async def test_a_text_longer_than_the_model_reads_has_all_of_it_in_its_vector(stock: Any) -> None:
    talk = "We spoke of the weather, of the road and of the price of bread. " * 20
    long, only_talk, bees = await vectors_of(stock, [talk + f"{BEES} " * 20, talk, BEES])

    assert numpy.linalg.norm(long) == pytest.approx(1.0, abs=1e-3)
    assert long @ bees > only_talk @ bees + 0.2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", [1, 2, 3]),
        ("input", [[1, 2], [3]]),
        ("input", ""),
        ("input", []),
        ("input", ["bees", " "]),
        ("input", "a" * (MOST_CHARACTERS + 1)),
        ("input", ["a"] * 2049),
        ("dimensions", 256),
        ("dimensions", 0),
        ("encoding_format", "int8"),
    ],
)
async def test_what_gives_no_vectors_is_refused_by_name(stock: Any, field: str, value: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await stock.embeddings.create(**{"model": PACKAGED_MODEL, "input": BEES, field: value})

    assert refused.value.param == field


async def test_another_model_is_404_that_names_the_one_that_there_is(stock: Any) -> None:
    with pytest.raises(openai.NotFoundError, match=PACKAGED_MODEL) as refused:
        await stock.embeddings.create(model="text-embedding-3-small", input=BEES)

    assert refused.value.code == "model_not_found"
