"""The export of ChatGPT: conversations as trees of messages. A message that is edited begins a branch."""

from collections.abc import Iterator
from typing import Any

from cli.imports.formats.branches import visible_path
from cli.imports.formats.citations import without_marks
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

_SAID = ("text", "multimodal_text")
"""Kinds of content that a person or the model said. The others are code, thoughts, results of tools ..."""
_THOUGHTS = ("thoughts", "reasoning_recap")
_SETTINGS = ("user_editable_context", "model_editable_context")
_KINDS_OF_PARTS = {"image": "images", "audio": "recordings", "video": "recordings"}


def read_conversation(conversation: dict[str, Any], left_out: LeftOut) -> Iterator[Message]:
    """Yields the messages of the branch that the user sees, first to last. Raises OddConversation."""
    if not isinstance(conversation.get("mapping"), dict):
        raise OddConversation("its `mapping` is no table of messages")
    session_id = text(conversation.get("conversation_id")) or text(conversation.get("id"))
    if not session_id:
        raise OddConversation("it has no id")
    messages = {
        node_id: table(table(node).get("message")) for node_id, node in conversation["mapping"].items()
    }
    at = time(conversation.get("create_time"))
    for node_id in _path(conversation, messages):
        message = messages[node_id]
        at = time(message.get("create_time"), at)
        said = _said(message, left_out)
        if said:
            yield Message(
                session_id=session_id,
                message_id=text(node_id),
                speaker=table(message.get("author"))["role"],
                text=said,
                at=at,
            )


def _path(conversation: dict[str, Any], messages: dict[str, dict[str, Any]]) -> list[str]:
    parents = {node_id: table(node).get("parent") for node_id, node in conversation["mapping"].items()}
    times = {node_id: message.get("create_time") for node_id, message in messages.items()}
    return visible_path(parents, conversation.get("current_node"), times)


def _said(message: dict[str, Any], left_out: LeftOut) -> str:
    content, metadata = table(message.get("content")), table(message.get("metadata"))
    speaker, kind = table(message.get("author")).get("role"), content.get("content_type")
    files = map(table, rows(metadata.get("attachments")))
    if metadata.get("is_visually_hidden_from_conversation") or speaker == "system" or kind in _SETTINGS:
        return ""
    if kind in _THOUGHTS:
        left_out["thoughts"] += 1
    elif speaker == "assistant" and (message.get("recipient") or "all") != "all":
        left_out["tool calls"] += 1
    elif speaker in ("user", "assistant") and kind in _SAID:
        kinds = [file_kind(one.get("name"), one.get("mimeType") or one.get("mime_type")) for one in files]
        left_out.update(kind for kind in kinds if kind != "images")  # Those are parts too.
        return without_marks(joined([_text_of(part, left_out) for part in rows(content.get("parts"))]))
    elif message and speaker == "tool":
        left_out["results of tools"] += 1
    return ""


def _text_of(part: object, left_out: LeftOut) -> str:
    said = text(part) or text(table(part).get("text"))
    if not said and isinstance(part, dict):
        kind = text(part.get("content_type")).partition("_")[0]
        left_out[_KINDS_OF_PARTS.get(kind, "other parts")] += 1
    return said
