"""Compares stored vectors with what the model makes of the same texts now.

The same model has slightly other vectors on another engine, processor or number format. They can be compared
with those that are stored only while they are nearly the same.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from uuid import UUID

import numpy

from services.indexer.generations.backfill import PAGE_ROWS, Rows
from services.indexer.generations.writing import Generation
from services.indexer.passages.index import PassageIndex
from services.indexer.passages.passage import Passage
from shared.contract.requests import Kind

SAMPLE_MESSAGES = 24
LEAST_MEAN_COSINE = 0.98
"""int8 has a mean of 0.995 to float32 (docs/adr/0020). Other models have less than 0.5 to each other."""


async def mean_cosines(generation: Generation, rows: Mapping[Kind, Rows], start: UUID) -> dict[Kind, float]:
    """The mean cosine of stored and new vectors for each kind that has points.

    The sample of a kind: the first passages by id from `start` on.
    """
    means = {}
    for kind in generation.indexes.keys() & rows.keys():
        index = generation.indexes[kind]
        passages = await _passages(rows[kind], await _sample(index, start))
        stored = await index.vectors([passage.id for passage in passages])
        known = [passage for passage in passages if passage.id in stored]
        if known:
            new = await generation.embedder.embed([passage.text for passage in known])
            old = numpy.stack([stored[passage.id] for passage in known])
            means[kind] = float((new * old).sum(axis=1).mean())
    return means


async def _sample(index: PassageIndex, start: UUID) -> list[UUID]:
    """Ids of messages. The walk goes on at the first point after the last one."""
    ids, _ = await index.messages(start, SAMPLE_MESSAGES)
    if len(ids) < SAMPLE_MESSAGES:
        ids += (await index.messages(None, SAMPLE_MESSAGES - len(ids)))[0]
    return list(dict.fromkeys(ids))


async def _passages(rows: Rows, ids: Sequence[UUID]) -> list[Passage]:
    """Those of messages whose points are made of the text as it is now."""
    changed = {key.point_id for key in await rows.keys(None, PAGE_ROWS, unindexed=True)}
    wanted = set(ids) - changed
    return [p for p in chain(*await rows.read(sorted(wanted))) if p.message.point_id in wanted]
