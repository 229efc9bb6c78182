"""The export of Claude: conversations as lists of messages."""

from collections.abc import Iterator
from typing import Any

from cli.imports.formats.message import Message, rows, table, text, time

_SPEAKERS = {"human": "user", "assistant": "assistant"}


def read_conversation(conversation: dict[str, Any]) -> Iterator[Message]:
    """Yields its messages, first to last."""
    for message in map(table, rows(conversation.get("chat_messages"))):
        speaker = _SPEAKERS.get(text(message.get("sender")))
        said = _said(message)
        if speaker and said:
            yield Message(
                session_id=text(conversation.get("uuid")),
                message_id=text(message.get("uuid")),
                speaker=speaker,
                text=said,
                at=time(message.get("created_at"), conversation.get("created_at")),
            )


def _said(message: dict[str, Any]) -> str:
    """Joins the parts that are text. Newer exports fill `text` with remarks where tools were used."""
    parts = [
        text(part.get("text"))
        for part in map(table, rows(message.get("content")))
        if part.get("type") == "text"
    ]
    return "\n".join(part for part in parts if part.strip()) or text(message.get("text")).strip()
