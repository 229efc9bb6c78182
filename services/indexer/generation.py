"""The collections that one embedding model has filled, and the model."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.indexer.ports import Embedder, PassageIndex
from shared.replies import Kind


@dataclass(frozen=True)
class Generation:
    """Vectors of two models cannot be compared: each model has collections of its own."""

    name: str
    embedder: Embedder
    indexes: Mapping[Kind, PassageIndex]
