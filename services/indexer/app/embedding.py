"""Chooses what computes the vectors."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.indexer.embedding.batching import BatchingEmbedder
from services.indexer.embedding.model import PACKAGED_MODEL, TextModel
from services.indexer.settings import IndexerSettings

log = logging.getLogger(__name__)


@asynccontextmanager
async def opened_embedder(settings: IndexerSettings, name: str) -> AsyncIterator[BatchingEmbedder]:
    """Raises SettingsError where there is no such model."""
    threads = settings.embedding_threads or os.cpu_count() or 1
    model = await asyncio.to_thread(load_model, settings, name, threads)
    log.info("%s runs on %s, in %d threads", name, model.engine, threads)
    async with BatchingEmbedder.running(
        model,
        threads=threads,
        batch_texts=settings.embedding_batch_texts,
        cache_entries=settings.query_cache_entries,
    ) as embedder:
        yield embedder


def load_model(settings: IndexerSettings, name: str, threads: int) -> TextModel:
    """The packaged model on CTranslate2. Any other, and a number format that is asked for, on torch.

    Each library is imported where it is used: torch takes seconds and hundreds of megabytes.
    """
    if name == PACKAGED_MODEL and settings.embedding_dtype == "auto":
        from services.indexer.embedding.ctranslate2 import CTranslate2Model
        from services.indexer.embedding.packaged import converted_folder

        return CTranslate2Model.load(converted_folder(settings.pandora_data_dir / "models"), threads=threads)
    from services.indexer.embedding.sentence_transformers import SentenceTransformerModel

    return SentenceTransformerModel.load(name, dtype=settings.embedding_dtype)
