"""The turn that answers a chat."""

from typing import Final

import msgspec

from services.gateway.openai.chat_request import ChatMessage, ChatRequest, refuse
from services.gateway.openai.tools import tools_of
from services.gateway.turns.content import InputImage, InputText
from services.gateway.turns.views import NewTurn
from shared.contract.derivation import derive
from shared.contract.errors import Refused
from shared.contract.events import ClientTool, ClientTools

_REFUSED: Final = {
    "n": "a turn has one answer",
    "stop": "a turn is answered to its end",
    "response_format": "a turn answers in words",
    "modalities": "a turn answers in words",
    "audio": "a turn answers in words",
    "functions": "its recipe chooses its tools",
    "logprobs": "a turn knows no probabilities",
    "top_logprobs": "a turn knows no probabilities",
    "logit_bias": "a turn knows no tokens",
}

_WITHOUT_TOOLS: Final = {"tools": "its recipe takes no tools of clients (client_tools)"}


def check_for_turn(chat: ChatRequest, *, takes_tools: bool) -> None:
    """Raises Refused for what a turn would answer as if it were not there."""
    refuse(chat, _REFUSED if takes_tools else _REFUSED | _WITHOUT_TOOLS)
    if takes_tools and chat.tools and chat.tool_choice not in (None, "auto", "none"):
        raise Refused(
            422, "tool_choice may be auto or none: a turn calls tools as it needs them", "tool_choice"
        )
    if (role := chat.messages[-1].role) != "user" and not (takes_tools and role == "tool"):
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
        tools=_client_tools_of(chat),
    )


def _client_tools_of(chat: ChatRequest) -> list[ClientTool]:
    """Raises Refused for what is no function, or has no name of one."""
    if chat.tool_choice == "none":
        return []
    try:
        offered = [derive(ClientTool, tool) for tool in tools_of(chat)]
        return msgspec.convert(msgspec.to_builtins(offered), ClientTools)
    except msgspec.ValidationError as error:
        raise Refused(422, f"tools cannot be read: {error}", "tools") from error


def _input_of(message: ChatMessage) -> str | list[InputText | InputImage]:
    if not message.images:
        return message.text
    texts = [InputText(text=message.text)] if message.text else []
    return [*texts, *(InputImage(image_url=url) for url in message.images)]
