"""Connections whose clients send too slowly are closed: each would hold a place for as long as it likes."""

from asyncio import TimerHandle
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES: Final = 64 * 1024
"""The first line of a request and its headers."""
LEAST_BODY_BYTES: Final = 1024
"""What a body has to bring within `silence_seconds`, up to its end."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for a request without end."""

    def __init__(self, *, silence_seconds: float, **given: Any) -> None:
        """`silence_seconds`: for the head of a request, and then for each LEAST_BODY_BYTES of its body."""
        super().__init__(**given)
        self._silence_seconds = silence_seconds
        self._timer: TimerHandle | None = None
        self._is_incomplete = True
        self._reads_head = True
        self._head_bytes = self._body_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data) if self._reads_head else 0
        super().data_received(data)
        if self._reads_head and self._head_bytes > MOST_HEAD_BYTES:
            self.send_400_response(
                f"The head is over {MOST_HEAD_BYTES // 1024} KiB. Send less in its headers."
            )
        if not self._is_incomplete:
            self._stop_timer()
        elif self._timer is None:
            self._start_timer()

    def on_message_begin(self) -> None:
        self._is_incomplete = self._reads_head = True
        self._head_bytes = self._body_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._reads_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_incomplete = False
        super().on_message_complete()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self._silence_seconds, self._close_if_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_if_slow(self) -> None:
        self._timer = None
        if self._reads_head or not (self.flow.read_paused or self._body_bytes >= LEAST_BODY_BYTES):
            self.transport.close()
        else:
            self._body_bytes = 0
            self._start_timer()
