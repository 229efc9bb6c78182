"""Reads all documents of a user, page by page, for an export."""

from collections.abc import AsyncIterator

from services.orchestrator.documents.ports import Documents
from services.orchestrator.documents.reading import read_record
from shared.bus.endpoints import endpoint
from shared.contract.errors import Refused
from shared.contract.requests import (
    DocumentPiece,
    ExportTurn,
    ExportTurnReply,
    HeldTurn,
    ListHeldTurns,
    ListHeldTurnsReply,
)

_PAGE_CHARACTERS = 128 * 1024
"""Of documents in one answer. JSON needs up to six bytes a character, and a NATS message holds 1 MB."""
_PAGE_TURNS = 5_000


class DocumentExport:
    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    @endpoint
    async def list_turns(self, request: ListHeldTurns) -> ListHeldTurnsReply:
        found = [one for one in await self._documents.turns_of(request.user) if one[0] > request.after]
        page = [HeldTurn(turn_id=turn_id, turn_number=number) for number, turn_id in found[:_PAGE_TURNS]]
        return ListHeldTurnsReply(turns=page, more=len(found) > len(page))

    @endpoint
    async def read_turn(self, request: ExportTurn) -> ExportTurnReply:
        record = await read_record(self._documents, request.turn_id)
        if record is None or record.user != request.user:
            raise Refused(404, f"there is no ended turn {request.turn_id}")
        pieces: list[DocumentPiece] = []
        room = _PAGE_CHARACTERS
        async for name, offset, text in self._rest(request):
            if not room:
                return ExportTurnReply(pieces=pieces, more=True)
            pieces.append(DocumentPiece(name=name, offset=offset, text=text[:room]))
            if len(text) > room:
                return ExportTurnReply(pieces=pieces, more=True)
            room -= len(text)
        return ExportTurnReply(pieces=pieces, more=False)

    async def _rest(self, request: ExportTurn) -> AsyncIterator[tuple[str, int, str]]:
        """Yields (name, offset, text) of everything after the last page."""
        for name in await self._documents.names(request.turn_id):
            if name < request.after_name:
                continue
            offset = request.after_offset if name == request.after_name else 0
            text = (await self._documents.read(request.turn_id, name) or "")[offset:]
            if text or not offset:
                yield name, offset, text
