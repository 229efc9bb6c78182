"""Subjects that carry neither stored events nor requests. What stands in braces is one part of it."""

from typing import Final

LIVE: Final = "turn.stream.{turn_id}"
"""orchestrator, inference -> gateway, anyone: the steps of one turn. Stored in LIVE as well."""
JOINING: Final = "turn.join.{turn_id}"
"""orchestrator -> orchestrator: a live event that is stored on a condition: that no other event came in
between.

The stream LIVE stores it as if it came on `turn.stream.<turn_id>`, and no reader hears it. Readers hear
what a stream refuses too, so such an event is sent on `turn.stream.<turn_id>` only once it is stored. It
then stands in LIVE twice.
"""
DEAD_LETTERS: Final = "dead.{durable}"
"""orchestrator, indexer -> anyone: a message that was given up, with the reason in its headers.

A message is given up at once when its handler says that it can never be handled, or after 8 attempts that
ended in an error, or when what it needs was away for a day (a request to forget: for 30 days). An outage is
no error: it is waited for.
"""
REPLAYS: Final = "replay.{durable}"
"""orchestrator -> orchestrator, indexer: a dead letter's message for its durable once more, where no other
reader gets it."""
PADDING: Final = "padding.{stream}"
"""orchestrator -> orchestrator: noise, purged at once.

A stream goes on in a new file after it, so that the bytes of what was forgotten go with the old file
([forgetting.md](forgetting.md))."""
ALIVE: Final = "orchestrator.alive"
"""orchestrator -> orchestrator: the id that the process drew at its start, as bare text, every second.

A process that is not heard during five of one's own messages, as they come back over the bus, is taken for
dead. The turns that it ran are taken over. So no process grows older while NATS is away, or while the
listener was paused. Internal: it may change with any version.
"""
BUCKETS: Final = "$KV.{bucket}.{key}"
"""gateway, orchestrator -> gateway, orchestrator: a value of a key-value bucket.

[delivery.md](delivery.md#key-value-buckets) says what is in which bucket. The command `pandora keys`
alone writes `api-keys`. Internal: it may change with any version.
"""
