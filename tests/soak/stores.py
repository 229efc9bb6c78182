"""What every store holds once the load is over: read by other means than the services' own."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import qdrant_edge as edge
from nats.aio.client import Client

from tests.soak.ledger import LAST_TYPES
from tests.soak.streams import read_from
from tests.stack import Stack

_PAGE = 256


class Outcome(msgspec.Struct, frozen=True):
    """One message of OUTCOMES."""

    kind: str
    turn_id: str
    turn_number: int


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A turn's folder."""

    name: str
    documents: list[str]
    record: dict[str, Any] = {}
    phases: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []

    @property
    def turn_id(self) -> str:
        return str(self.record.get("turn_id", ""))

    @property
    def status(self) -> str:
        return str(self.record.get("status", ""))


class Row(msgspec.Struct, frozen=True):
    turn_id: str
    turn_number: int


class MessageRow(msgspec.Struct, frozen=True):
    """What was said or answered in a turn, as search knows it."""

    turn_id: str
    role: str
    point_id: str


class Stores(msgspec.Struct, kw_only=True):
    """All of them."""

    outcomes: list[Outcome] = []
    indexed: list[str] = []
    """Ids in turn.indexed."""
    folders: list[Folder] = []
    unfinished: list[str] = []
    """Half-written folders of processes that were killed: no reader sees them, and they go after an hour."""
    pointers: dict[str, str] = {}
    """turn id -> the folder that its pointer names."""
    rows: list[Row] = []
    messages: list[MessageRow] = []
    points: dict[str, str] = {}
    """Message -> its turn: of each message that has points."""
    queued: list[str] = []
    """Ids of turns that are still in TURNS."""
    leases: list[tuple[str, str]] = []
    """(turn id, state)."""
    dead: list[str] = []


async def read_stores(stack: Stack, bus: Client) -> Stores:
    """All but the points, which the running indexer has locked."""
    stores = await asyncio.to_thread(read_folders, stack.data_dir / "turns")
    async for message in read_from(bus, "OUTCOMES"):
        event = json.loads(message.body)
        if message.subject in LAST_TYPES:
            stores.outcomes.append(Outcome(message.subject, event["turn_id"], event["turn_number"]))
        elif message.subject == "turn.indexed":
            stores.indexed.append(event["turn_id"])
    stores.queued = [json.loads(message.body)["turn_id"] async for message in read_from(bus, "TURNS")]
    stores.leases = [lease_in(message.headers) async for message in read_from(bus, "KV_sessions")]
    stores.dead = [
        f"{message.subject}: {message.headers!r}"[:600] async for message in read_from(bus, "DEAD")
    ]
    rows = await stack.rows("SELECT turn_id, turn_number FROM pandora.turns")
    stores.rows = [Row(row["turn_id"], row["turn_number"]) for row in rows]
    messages = await stack.rows("SELECT turn_id, role, point_id FROM pandora.messages")
    stores.messages = [MessageRow(row["turn_id"], row["role"], str(row["point_id"])) for row in messages]
    return stores


def lease_in(headers: str) -> tuple[str, str]:
    for line in headers.splitlines():
        name, _, value = line.partition(":")
        if name == "Pandora-Lease":
            lease = json.loads(value)
            return (lease["turn_id"], lease["state"])
    return ("", "no lease")  # What expired leaves a message of its own, without one.


def read_folders(turns: Path) -> Stores:
    stores = Stores()
    stores.folders = [_folder(path) for path in sorted(turns.glob("[0-9]*/turn_*"))]
    stores.unfinished = sorted(path.name for path in turns.glob(".*-*"))
    stores.pointers = {path.name: Path(path.read_text()).name for path in turns.glob("ids/*/*")}
    return stores


def _folder(path: Path) -> Folder:
    documents = sorted(document.name for document in path.iterdir())
    if not {"metadata.json", "metrics.json", "events.jsonl"} <= set(documents):
        return Folder(name=path.name, documents=documents)
    return Folder(
        name=path.name,
        documents=documents,
        record=json.loads((path / "metadata.json").read_bytes()),
        phases=json.loads((path / "metrics.json").read_bytes())["phases"],
        # Not splitlines: an event may hold other characters that end a line.
        events=[json.loads(line) for line in (path / "events.jsonl").read_text().split("\n") if line],
    )


def read_points(data_dir: Path) -> dict[str, str]:
    """Message -> its turn, from the indexer's own folder: only once it has ended."""
    (folder,) = data_dir.glob("qdrant/*/turns")
    shard = edge.EdgeShard.load(str(folder))
    try:
        found: dict[str, str] = {}
        offset: Any = None
        while True:
            page, offset = shard.scroll(
                edge.ScrollRequest(
                    offset=offset, limit=_PAGE, with_payload=["message", "turn_id"], with_vector=False
                )
            )
            payloads = [point.payload or {} for point in page]
            found |= {str(payload.get("message")): str(payload.get("turn_id")) for payload in payloads}
            if offset is None:
                return found
    finally:
        shard.close()
