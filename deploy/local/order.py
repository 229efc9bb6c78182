"""The names of the parts, and the order in which they start and stop."""

from typing import Final

NATS: Final = "nats"
"""The single NATS server."""
NATS_NODES: Final = ("nats-1", "nats-2", "nats-3")
"""The servers of `pandora up --cluster`."""
REDIS: Final = "redis"
"""Counts for the limits."""
REDIS_CACHE: Final = "redis-cache"

SERVICES: Final = ("indexer", "inference", "orchestrator", "gateway")
"""One of them that is not ready does not stop the others."""
START_ORDER: Final = (
    (NATS, *NATS_NODES),
    ("postgres", "qdrant", REDIS, REDIS_CACHE),
    SERVICES,
)
"""Each group waits until the one before it is ready. The parts of a group start together."""

STOP_ORDER: Final = (
    ("gateway",),
    ("orchestrator",),
    ("inference", "indexer"),
    ("postgres", REDIS, REDIS_CACHE),
    (NATS, *NATS_NODES),
)

PARTS: Final = tuple(name for group in START_ORDER for name in group)
