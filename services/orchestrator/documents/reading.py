"""Answers questions about ended turns from their documents."""

import msgspec

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.rendering import (
    EVENTS,
    MEDIA_TYPES,
    METADATA,
    events_in,
    events_of_record,
)
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.events import decode
from shared.contract.requests import (
    Document,
    DocumentsReply,
    EventsReply,
    GetDocument,
    GetEvents,
    GetTurn,
    ListDocuments,
    TurnRecord,
)

_PAGE_BYTES = 512 * 1024
"""Of live events in one answer. A NATS message may be larger."""


class EndedTurns:
    """Answers only for a user's own turns."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    @endpoint
    async def get_turn(self, request: GetTurn) -> TurnRecord:
        return await self._record(request.user, request.turn_id)

    @endpoint
    async def get_events(self, request: GetEvents) -> EventsReply:
        record = await self._record(request.user, request.turn_id)
        document = await self._documents.read(request.turn_id, EVENTS)
        events = events_of_record(record) if document is None else events_in(document)
        page: list[msgspec.Raw] = []
        size = 0
        for event in events:
            if decode(_Index, bytes(event)).index <= request.after:
                continue
            size += len(bytes(event))
            if page and size > _PAGE_BYTES:
                return EventsReply(events=page, more=True)
            page.append(event)
        return EventsReply(events=page, more=False)

    @endpoint
    async def list_documents(self, request: ListDocuments) -> DocumentsReply:
        return DocumentsReply(names=await self.names(request.user, request.turn_id))

    @endpoint
    async def get_document(self, request: GetDocument) -> Document:
        return await self.read(request.user, request.turn_id, request.name)

    async def names(self, user: str, turn_id: str) -> list[str]:
        await self._record(user, turn_id)
        return await self._documents.names(turn_id)

    async def read(self, user: str, turn_id: str, name: str) -> Document:
        names = await self.names(user, turn_id)
        text = await self._documents.read(turn_id, name) if name in names else None
        if text is None:
            raise Refused(404, f"turn {turn_id} has no document {name!r}; it has {names}", "name")
        suffix = name[name.rfind(".") :]
        return Document(name=name, media_type=MEDIA_TYPES.get(suffix, "text/plain"), text=text)

    async def _record(self, user: str, turn_id: str) -> TurnRecord:
        record = await read_record(self._documents, turn_id)
        if record is None or record.user != user:
            # The same answer for a missing turn and for the turn of another user: they must look alike.
            raise Refused(404, f"there is no ended turn {turn_id}")
        await self._documents.mark_used(turn_id)
        return record


class _Index(msgspec.Struct):
    index: int


async def read_record(documents: Documents, turn_id: str) -> TurnRecord | None:
    text = await documents.read(turn_id, METADATA)
    return None if text is None else decode(TurnRecord, text.encode())
