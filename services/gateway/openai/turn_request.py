"""The turn that answers a chat."""

from typing import Final

from services.gateway.openai.chat_request import ChatMessage, ChatRequest, refuse
from services.gateway.turns.content import InputImage, InputText
from services.gateway.turns.views import NewTurn
from shared.contract.errors import Refused

_REFUSED: Final = {
    "n": "a turn has one answer",
    "stop": "a turn is answered to its end",
    "response_format": "a turn answers in words",
    "modalities": "a turn answers in words",
    "audio": "a turn answers in words",
    "tools": "its recipe chooses its tools",
    "functions": "its recipe chooses its tools",
    "logprobs": "a turn knows no probabilities",
    "top_logprobs": "a turn knows no probabilities",
    "logit_bias": "a turn knows no tokens",
}


def check_for_turn(chat: ChatRequest) -> None:
    """Raises Refused for what a turn would answer as if it were not there."""
    refuse(chat, _REFUSED)
    if (role := chat.messages[-1].role) != "user":
        raise Refused(
            422,
            f"the last message is of role {role!r}; {chat.model} answers what a user says last",
            "messages",
        )


def new_turn(chat: ChatRequest, recipe: str, session_id: str, follows: int | None) -> NewTurn:
    """The turn of the last message."""
    return NewTurn(
        input=_input_of(chat.messages[-1]),
        session_id=session_id,
        recipe=recipe,
        metadata=chat.metadata or {},
        follows=follows,
    )


def _input_of(message: ChatMessage) -> str | list[InputText | InputImage]:
    if not message.images:
        return message.text
    texts = [InputText(text=message.text)] if message.text else []
    return [*texts, *(InputImage(image_url=url) for url in message.images)]
