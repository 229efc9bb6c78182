"""What `pandora status --json` prints."""

import msgspec

from shared.contract.requests import CountReply, ModelsReply, ReindexingReply
from shared.process.room import Room


class PartStatus(msgspec.Struct, kw_only=True):
    """One part. `note` says why it is not ready; a server of your own has no pid and no port."""

    name: str
    port: int | None
    pid: int | None = None
    ready: bool = False
    note: str = ""
    uptime_seconds: float = 0.0
    memory_bytes: int = 0
    restarts: int = 0


class StreamStatus(msgspec.Struct, kw_only=True):
    name: str
    messages: int
    bytes: int


class QueueStatus(msgspec.Struct, kw_only=True):
    """A durable consumer: how many messages wait for it, and how many it has in hand."""

    name: str
    stream: str
    waiting: int
    in_hand: int


class OwnTurns(msgspec.Struct, kw_only=True):
    """Turns of the user of PANDORA_API_KEY. `note` says why they are not known."""

    queued: int = 0
    running: int = 0
    waiting: int = 0
    note: str = ""


class Status(msgspec.Struct, kw_only=True):
    """`pandora status --json`. What a service says is null where it does not answer."""

    running: bool
    ready: bool
    data_dir: str
    room: Room | None = None
    """On the disk of the data folder."""
    launcher_pid: int | None
    parts: list[PartStatus] = []
    streams: list[StreamStatus] = []
    queues: list[QueueStatus] = []
    engine: ModelsReply | None = None
    counts: CountReply | None = None
    embedder: ReindexingReply | None = None
    turns: OwnTurns | None = None
