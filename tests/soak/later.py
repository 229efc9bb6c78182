"""What a client sees that comes when all is over: every turn as the API tells it, and late readers."""

import asyncio
from random import Random

from tests.soak.audit import Finding, other_than
from tests.soak.http_client import HttpClient
from tests.soak.ledger import Asked, Ledger
from tests.soak.stores import Stores

_AT_ONCE = 8
_LATE_READERS = 200


class Later:
    def __init__(self, http: HttpClient, ledger: Ledger, stores: Stores, seed: int) -> None:
        self._http = http
        self._ledger = ledger
        self._folders = {folder.turn_id: folder for folder in stores.folders}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._chance = Random(f"{seed}/later")

    async def findings(self) -> list[Finding]:
        asked = [turn for turn in self._ledger.accepted if turn.turn_id in self._folders]
        late = self._chance.sample(asked, min(_LATE_READERS, len(asked)))
        found = await asyncio.gather(
            *(self._status(turn) for turn in asked), *(self._read(turn) for turn in late)
        )
        return [finding for findings in found for finding in findings]

    async def _status(self, turn: Asked) -> list[Finding]:
        async with self._room:
            view = await self._http.look(turn, self._chance)
        record = self._folders[turn.turn_id].record
        wrong = [name for name in ("status", "output", "turn_number") if view.get(name) != record.get(name)]
        return (
            [Finding(turn.turn_id, f"GET tells another {', '.join(wrong)} than its folder")] if wrong else []
        )

    async def _read(self, turn: Asked) -> list[Finding]:
        """From the first event on, at either gateway."""
        again = Asked(number=turn.number, way="http", user=turn.user, session_id=turn.session_id)
        again.told_ids.add(turn.turn_id)
        async with self._room:
            await self._http.read_to_end(again, self._chance, [])
        what = [*again.faults, *other_than(again.events, self._folders[turn.turn_id].events)]
        return [Finding(turn.turn_id, f"a late reader: {one}") for one in what]
