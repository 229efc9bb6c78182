"""One line a log record, as text or as JSON with its trace. Words of users are logged at DEBUG only."""

import logging
import sys

import msgspec
from opentelemetry import trace

_ENDS_OF_LINES = (0x85, 0x2028, 0x2029)
_ESCAPED = {code: repr(chr(code))[1:-1] for code in (*range(32), 127, *range(128, 160), *_ENDS_OF_LINES)}


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "trace_id": format(trace.get_current_span().get_span_context().trace_id, "032x"),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class _TextFormatter(logging.Formatter):
    """Whatever a message quotes, it stays one line: nobody can write a record of their own into the log."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage().translate(_ESCAPED)
        return super().format(logging.makeLogRecord(record.__dict__ | {"msg": message, "args": None}))


def configure_logs(level: str, form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonFormatter()
        if form == "json"
        else _TextFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in (
        "uvicorn.access",
        "uvicorn.error",
        "nats.aio.client",
        "sentence_transformers",
        "httpx",
        "faststream",
    ):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
