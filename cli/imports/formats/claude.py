"""The export of Claude: conversations as lists of messages. A message that is edited begins a branch."""

from collections.abc import Iterator
from typing import Any

from cli.imports.formats.branches import visible_path
from cli.imports.formats.message import (
    LeftOut,
    Message,
    OddConversation,
    file_kind,
    joined,
    rows,
    table,
    text,
    time,
)

_SPEAKERS = {"human": "user", "assistant": "assistant"}
_LEFT_OUT = {
    "thinking": "thoughts",
    "redacted_thinking": "thoughts",
    "tool_use": "tool calls",
    "tool_result": "results of tools",
    "image": "images",
}


def read_conversation(conversation: dict[str, Any], left_out: LeftOut) -> Iterator[Message]:
    """Yields the messages of the branch that was seen last, first to last. Raises OddConversation."""
    if not isinstance(conversation.get("chat_messages"), list):
        raise OddConversation("its `chat_messages` is no list")
    if not (session_id := text(conversation.get("uuid"))):
        raise OddConversation("it has no uuid")
    at = time(conversation.get("created_at"))
    for message in _branch(conversation):
        at = time(message.get("created_at"), at)
        speaker = _SPEAKERS.get(text(message.get("sender")))
        if speaker and (said := _said(message, left_out)):
            yield Message(
                session_id=session_id,
                message_id=text(message.get("uuid")),
                speaker=speaker,
                text=said,
                at=at,
            )


def _branch(conversation: dict[str, Any]) -> list[dict[str, Any]]:
    """Older exports name no parents: there each message follows the one before it in the list."""
    messages: dict[str, dict[str, Any]] = {}
    parents: dict[str, object] = {}
    before: str | None = None
    for place, message in enumerate(map(table, rows(conversation["chat_messages"]))):
        node = text(message.get("uuid")) or f"#{place}"
        messages[node] = message
        parents[node] = message.get("parent_message_uuid") or before
        before = node
    times = {node: message.get("created_at") for node, message in messages.items()}
    return [
        messages[node] for node in visible_path(parents, conversation.get("current_leaf_message_uuid"), times)
    ]


def _said(message: dict[str, Any], left_out: LeftOut) -> str:
    """Joins the parts that are text, and what was pasted.

    Newer exports fill `text` with remarks where tools were used: it counts only where there are no parts.
    """
    parts = list(map(table, rows(message.get("content"))))
    said = joined([text(part.get("text")) for part in parts if part.get("type") in ("text", "voice_note")])
    left_out.update(_LEFT_OUT[kind] for part in parts if (kind := text(part.get("type"))) in _LEFT_OUT)
    if not said and all(part.get("type") == "text" for part in parts):
        said = text(message.get("text")).strip()
    attachments = list(map(table, rows(message.get("attachments"))))
    pasted = [text(one.get("extracted_content")) for one in attachments]
    _count_files(message, attachments, left_out)
    return joined([said, *pasted])


def _count_files(message: dict[str, Any], attachments: list[dict[str, Any]], left_out: LeftOut) -> None:
    """Counts the files whose text is not in the export. Some are listed twice."""
    with_text = {text(one.get("file_name")) for one in attachments if text(one.get("extracted_content"))}
    files = [table(one) for field in ("files", "files_v2") for one in rows(message.get(field))] + attachments
    names = {text(one.get("file_name")) for one in files} - with_text
    left_out.update(file_kind(name) for name in names)
