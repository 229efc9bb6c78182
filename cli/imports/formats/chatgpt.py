"""The export of ChatGPT: conversations as trees of messages. A message that is edited begins a branch."""

from collections.abc import Iterator
from typing import Any

from cli.imports.formats.message import Message, rows, table, text, time

_SAID = ("text", "multimodal_text")
"""Kinds of content that a person or the model said. The others are code, thoughts, results of tools ..."""


def read_conversation(conversation: dict[str, Any]) -> Iterator[Message]:
    """Yields the messages of the branch that the user sees, first to last."""
    nodes = table(conversation.get("mapping"))
    session_id = text(conversation.get("conversation_id")) or text(conversation.get("id"))
    for node_id in _branch(nodes, conversation.get("current_node")):
        message = table(table(nodes[node_id]).get("message"))
        speaker = table(message.get("author")).get("role")
        said = _said(message)
        if speaker in ("user", "assistant") and said:
            yield Message(
                session_id=session_id,
                message_id=node_id,
                speaker=speaker,
                text=said,
                at=time(message.get("create_time"), conversation.get("create_time")),
            )


def _branch(nodes: dict[str, Any], current: object) -> list[str]:
    """Returns the nodes from the root to the current one, or to the newest where none is current."""
    node_id = current if isinstance(current, str) and current in nodes else _newest(nodes)
    branch: dict[str, None] = {}
    while isinstance(node_id, str) and node_id in nodes and node_id not in branch:
        branch[node_id] = None
        node_id = table(nodes[node_id]).get("parent")
    return list(reversed(branch))


def _newest(nodes: dict[str, Any]) -> str | None:
    def age(node_id: str) -> float:
        at = table(table(nodes[node_id]).get("message")).get("create_time")
        return at if isinstance(at, int | float) else 0.0

    leaves = [node_id for node_id, node in nodes.items() if not rows(table(node).get("children"))]
    return max(leaves, key=age, default=None)


def _said(message: dict[str, Any]) -> str:
    content = table(message.get("content"))
    hidden = table(message.get("metadata")).get("is_visually_hidden_from_conversation")
    if hidden or message.get("recipient", "all") != "all" or content.get("content_type") not in _SAID:
        return ""
    parts = [text(part) or text(table(part).get("text")) for part in rows(content.get("parts"))]
    return "\n".join(part for part in parts if part.strip())
