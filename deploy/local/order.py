"""The names of the parts, and the order in which they start and stop."""

from typing import Final

NATS: Final = "nats"
"""The single NATS server."""
NATS_NODES: Final = ("nats-1", "nats-2", "nats-3")
"""The servers of `pandora up --cluster`."""

SERVICES: Final = ("indexer", "inference", "orchestrator", "gateway")
"""One of them that is not ready does not stop the others."""
START_ORDER: Final = (
    (NATS, *NATS_NODES),
    ("postgres", "qdrant"),
    SERVICES,
)
"""Each group waits until the one before it is ready. The parts of a group start together."""

STOP_ORDER: Final = (
    ("gateway",),
    ("orchestrator",),
    ("inference", "indexer"),
    ("postgres",),
    (NATS, *NATS_NODES),
)

PARTS: Final = tuple(name for group in START_ORDER for name in group)
