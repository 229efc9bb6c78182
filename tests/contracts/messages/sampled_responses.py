"""What a gateway asks for OpenAI's responses and conversations."""

import msgspec

from shared.contract.requests import Conversation, GetConversation, GetOriginal, KeepConversation
from tests.contracts.messages.sampled_events import ID, STORED

_KEPT = Conversation(session_id="kitchen", metadata={"client": "golden"})
OF_RESPONSES: dict[str, msgspec.Struct] = {
    "turns.original": GetOriginal(user="alice", turn_id=ID),
    "turns.original.reply": STORED[0],
    "conversations.get": GetConversation(user="alice", session_id="kitchen"),
    "conversations.get.reply": _KEPT,
    "conversations.keep": KeepConversation(user="alice", session_id="kitchen", metadata={"client": "golden"}),
    "conversations.keep.reply": _KEPT,
}
