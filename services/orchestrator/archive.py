"""Answers questions about ended turns from their documents."""

import msgspec

from services.orchestrator.domain.documents import (
    EVENTS,
    MEDIA_TYPES,
    METADATA,
    events_in,
    events_of_record,
)
from services.orchestrator.ports import Documents
from shared.endpoints import Endpoint
from shared.errors import Refused
from shared.events import decode
from shared.replies import (
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
"""Of live events in one answer; a NATS message holds more."""


class Archive:
    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(GetTurn, lambda request, send: self.get_turn(request)),
            Endpoint(GetEvents, lambda request, send: self.get_events(request)),
            Endpoint(ListDocuments, lambda request, send: self.list_documents(request)),
            Endpoint(GetDocument, lambda request, send: self.get_document(request)),
        ]

    async def get_turn(self, request: GetTurn) -> TurnRecord:
        record = await read_record(self._documents, request.turn_id)
        if record is None or record.user != request.user:
            # The same answer for a missing turn and for another user's: it must not be told apart.
            raise Refused(404, f"there is no ended turn {request.turn_id}")
        await self._documents.mark_used(request.turn_id)
        return record

    async def get_events(self, request: GetEvents) -> EventsReply:
        record = await self.get_turn(GetTurn(user=request.user, turn_id=request.turn_id))
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

    async def list_documents(self, request: ListDocuments) -> DocumentsReply:
        await self.get_turn(GetTurn(user=request.user, turn_id=request.turn_id))
        return DocumentsReply(names=await self._documents.names(request.turn_id))

    async def get_document(self, request: GetDocument) -> Document:
        names = (await self.list_documents(ListDocuments(user=request.user, turn_id=request.turn_id))).names
        text = await self._documents.read(request.turn_id, request.name) if request.name in names else None
        if text is None:
            raise Refused(
                404, f"turn {request.turn_id} has no document {request.name!r}; it has {names}", "name"
            )
        suffix = request.name[request.name.rfind(".") :]
        return Document(name=request.name, media_type=MEDIA_TYPES.get(suffix, "text/plain"), text=text)


class _Index(msgspec.Struct):
    index: int


async def read_record(documents: Documents, turn_id: str) -> TurnRecord | None:
    text = await documents.read(turn_id, METADATA)
    return None if text is None else decode(TurnRecord, text.encode())
