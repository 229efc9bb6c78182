"""What Prometheus and a trace say of each message.

FastStream has middlewares for both. They use other names than those of `shared.process.metrics` and of our
spans, and they cost more: docs/adr/0018.
"""

from typing import Any, Final

from faststream.message import AckStatus

from shared.bus.deliveries.middleware import SharedMiddleware
from shared.process import metrics
from shared.process.tracing import context_of, span

_RESULTS: Final = {AckStatus.ACKED: "handled", AckStatus.REJECTED: "buried"}
"""All others are tried again."""


class Metrics(SharedMiddleware):
    """Times each message, and counts how it was settled."""

    def __init__(self, durable: str) -> None:
        super().__init__()
        self._durable = durable

    async def consume_scope(self, call_next: Any, message: Any) -> Any:
        with metrics.timed(metrics.message_seconds.labels(self._durable)):
            await call_next(message)
        metrics.messages.labels(self._durable, _RESULTS.get(message.committed, "retried")).inc()


class Tracing(SharedMiddleware):
    """Goes on with the trace of the message while its handler runs."""

    async def consume_scope(self, call_next: Any, message: Any) -> Any:
        subject = message.raw_message.subject
        with span(f"process {subject}", context=context_of(message.headers)):
            return await call_next(message)
