"""The calls of tools in an answer, from the pieces in which servers send them.

Servers differ: some leave out `index` or `id`, send a call at once, send its arguments as an object, or name
it again with each piece.
"""

from typing import Any

import msgspec
from uuid_utils import uuid7

from shared.contract.requests import ToolCall


class _Call:
    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments = ""


class ToolCalls:
    """Of one answer so far."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def feed(self, pieces: Any) -> None:
        """`pieces` is the `tool_calls` of a delta, or of a whole message."""
        for piece in pieces if isinstance(pieces, list) else []:
            if isinstance(piece, dict):
                self._take(piece)

    def whole(self) -> list[ToolCall]:
        """Each has an id: its own, or a new one where the server gave none."""
        return [
            ToolCall(id=call.id or f"call_{uuid7()}", name=call.name, arguments=call.arguments or "{}")
            for call in self._calls
            if call.name
        ]

    def _take(self, piece: dict[str, Any]) -> None:
        function = piece.get("function")
        told = function if isinstance(function, dict) else {}
        name, call_id = _text(told.get("name")), _text(piece.get("id"))
        call = self._call_of(piece.get("index"), call_id, name)
        call.id = call.id or call_id
        call.name = call.name or name
        arguments = told.get("arguments")
        if isinstance(arguments, dict):
            call.arguments = msgspec.json.encode(arguments).decode()
        else:
            call.arguments += _text(arguments)

    def _call_of(self, index: Any, call_id: str, name: str) -> _Call:
        """Without an index, a piece with another id, or with a name and no id, begins a call."""
        if isinstance(index, int):
            known = self._by_index.get(index)
            if known is not None and not (call_id and known.id and call_id != known.id):
                return known
            self._by_index[index] = self._begun()
            return self._by_index[index]
        last = self._calls[-1] if self._calls else None
        is_more = last is not None and (call_id == last.id if call_id else not name)
        return last if last is not None and is_more else self._begun()

    def _begun(self) -> _Call:
        self._calls.append(_Call())
        return self._calls[-1]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
