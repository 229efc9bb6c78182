"""Requests as stock clients send them: their headers and bodies, with places for what is said.

The long prompts that clients write themselves are kept to their beginnings and their marks.
"""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
UTILITY_CALLS: list[dict[str, Any]] = json.loads((_FOLDER / "utility_calls.json").read_text("utf-8"))
"""What clients ask for themselves. Places: said, answered, chat, user."""
CHATS: list[dict[str, Any]] = json.loads((_FOLDER / "chats.json").read_text("utf-8"))
"""How clients send a conversation: the setup, each message of the user, the last one (`asked`) where it
differs, and what names the session. Places: said, chat, user, conversation."""


def filled(shape: Any, places: dict[str, str]) -> Any:
    """The same shape with its places filled."""
    match shape:
        case str():
            for name, text in places.items():
                shape = shape.replace(f"{{{name}}}", text)
            return shape
        case list():
            return [filled(one, places) for one in shape]
        case dict():
            return {name: filled(value, places) for name, value in shape.items()}
        case _:
            return shape


def conversation(client: dict[str, Any], turns: list[str], **places: str) -> dict[str, Any]:
    """The body of a request. `turns`: what the user said and was answered, in turn; the user's words last."""
    messages = [*client["setup"]]
    for place, said in enumerate(turns):
        if place % 2:
            messages.append({"role": "assistant", "content": said})
            continue
        is_asked = place == len(turns) - 1
        content = client.get("asked", client["user"]) if is_asked else client["user"]
        messages.append({"role": "user", "content": filled(content, {"said": said})})
    return {"messages": messages, **filled(client["body"], places)}
