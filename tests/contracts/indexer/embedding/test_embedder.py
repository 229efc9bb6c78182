"""The contract of Embedder, over each engine, with the model that comes with the installation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy
import pytest
import pytest_asyncio

from services.indexer.app.embedding import opened_embedder
from services.indexer.embedding.batching import BatchingEmbedder
from services.indexer.embedding.model import PACKAGED_MODEL
from services.indexer.settings import IndexerSettings
from shared.process.environment import SettingsError

BEES = "My sister Mira keeps bees."


def load(
    folder: Path, name: str = PACKAGED_MODEL, *, dtype: str = "auto"
) -> AbstractAsyncContextManager[BatchingEmbedder]:
    return opened_embedder(settings(folder, dtype), name)


def settings(folder: Path, dtype: str) -> IndexerSettings:
    return IndexerSettings.model_validate(
        {
            "pandora_data_dir": folder,
            "embedding_dtype": dtype,
            "embedding_batch_texts": 4,
            "query_cache_entries": 2,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder."""
    return tmp_path_factory.mktemp("data")


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["auto", "float32"])
async def embedder(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[BatchingEmbedder]:
    async with load(folder, dtype=request.param) as loaded:
        yield loaded


async def test_texts_become_unit_vectors(embedder: BatchingEmbedder) -> None:
    vectors = await embedder.embed([BEES, "", "🐝", "word " * 5000])

    assert embedder.dimension == 384
    assert vectors.shape == (4, 384)
    assert vectors.dtype == numpy.float32
    assert numpy.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=5e-3)


async def test_no_text_is_no_vector(embedder: BatchingEmbedder) -> None:
    assert (await embedder.embed([])).shape == (0, 384)


async def test_a_question_is_near_to_what_answers_it(embedder: BatchingEmbedder) -> None:
    stored = await embedder.embed([BEES, "The tax form is due in May.", "Roses need sun."])

    nearness = stored @ await embedder.embed_query("Who is a beekeeper?")

    assert nearness.argmax() == 0


async def test_vectors_come_in_the_order_of_their_texts(embedder: BatchingEmbedder) -> None:
    """Though texts of like length are embedded together."""
    texts = [f"bee {'word ' * (n * 7 % 13)}{n}" for n in range(13)]

    together = await embedder.embed(texts)

    for text, vector in zip(texts, together, strict=True):
        assert vector @ await embedder.embed_query(text) == pytest.approx(1.0, abs=5e-3)


async def test_a_question_goes_before_all_stored_texts_that_still_wait(
    embedder: BatchingEmbedder,
) -> None:
    """Ten calls of the model wait; the question waits for one of them at most."""
    stored = asyncio.create_task(embedder.embed([f"bee {number}" for number in range(40)]))
    await asyncio.sleep(0)

    await embedder.embed_query("A question that was never asked before")

    assert not stored.done()
    assert (await stored).shape == (40, 384)


async def test_a_question_asked_again_is_not_computed_again(embedder: BatchingEmbedder) -> None:
    first = await embedder.embed_query("one")

    assert await embedder.embed_query("one") is first


async def test_of_many_questions_the_last_asked_are_kept(embedder: BatchingEmbedder) -> None:
    """Two, in these tests."""
    one = await embedder.embed_query("one")
    two = await embedder.embed_query("two")
    await embedder.embed_query("one")
    await embedder.embed_query("three")

    assert await embedder.embed_query("one") is one
    assert await embedder.embed_query("two") is not two


async def test_questions_asked_together_each_get_their_own_answer(
    embedder: BatchingEmbedder,
) -> None:
    questions = [f"Is {number} a bee?" for number in range(10)]

    answers = await asyncio.gather(*map(embedder.embed_query, questions))

    stored = await embedder.embed(questions)
    assert (numpy.stack(answers) * stored).sum(axis=1) == pytest.approx(1.0, abs=5e-3)


async def test_who_leaves_does_not_hold_up_the_others(embedder: BatchingEmbedder) -> None:
    gone = asyncio.create_task(embedder.embed([f"bee {number}" for number in range(40)]))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await embedder.embed([BEES])).shape == (1, 384)


async def test_half_the_bits_give_the_same_vectors(embedder: BatchingEmbedder, folder: Path) -> None:
    async with load(folder, dtype="bfloat16") as faster:
        nearness = (await embedder.embed([BEES]))[0] @ await faster.embed_query(BEES)

    assert nearness == pytest.approx(1.0, abs=2e-2)


async def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "no-model")

    with pytest.raises(SettingsError, match=r"^EMBEDDING_MODEL=.*no-model.*all-MiniLM-L6-v2") as error:
        async with load(tmp_path, nowhere):
            pass

    assert "\n" not in str(error.value)


async def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^EMBEDDING_MODEL="):
        async with load(tmp_path, str(tmp_path)):
            pass
