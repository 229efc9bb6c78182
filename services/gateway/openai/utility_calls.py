"""Which requests a client makes for itself: titles, tags, follow-up questions and the like.

They are no part of the conversation. The plain model answers them, and nothing is stored.
"""

from collections.abc import Mapping
from typing import Final

from services.gateway.openai.chat_request import ChatRequest

TASK_HEADER: Final = "X-OpenWebUI-Task"
"""Open WebUI sends it where its connection has the header, with the value `{{TASK}}`. Empty: no task."""
_TASK: Final = "### Task: "
"""How most of Open WebUI's prompts begin; the conversation that they are about comes in a tag."""
_RETRIEVED: Final = "### Task: Respond to the user query using the provided context"
"""Also Open WebUI's: documents before a user's own words."""
_PROMPTS: Final = (
    # Emojis, and one answer out of several models, of Open WebUI.
    "Your task is to reflect the speaker's likely facial expression through a fitting emoji",
    "You have been provided with a set of responses from various models to the latest user query",
    # Titles, of LibreChat,
    "Provide a concise, 5-word-or-less title for the conversation",
    "Please generate a concise, 5-word-or-less title for the conversation",
    "Analyze this conversation and provide: 1. The detected language of the conversation",
    # and of Continue.
    "Given the following... please reply with a title for the chat",
)
"""How other prompts begin that clients write themselves."""
_LONGEST: Final = 400
"""Characters that hold the beginning of any of these."""


def is_utility(chat: ChatRequest, headers: Mapping[str, str], *, is_named: bool) -> bool:
    """`headers`: by their names in small letters. `is_named`: the request names its session."""
    if headers.get(TASK_HEADER.lower()):
        return True
    if chat.store is False and not is_named:
        return True
    said = [message for message in chat.messages if not message.is_setup] or chat.messages
    return len(said) == 1 and _is_prompt(said[0].text)


def _is_prompt(text: str) -> bool:
    begin = " ".join(text[:_LONGEST].split())
    if begin.startswith(_TASK):
        return not begin.startswith(_RETRIEVED) and "<chat_history>" in text
    return begin.startswith(_PROMPTS)
