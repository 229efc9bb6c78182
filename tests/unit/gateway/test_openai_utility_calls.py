"""What clients ask for themselves is told apart from what their users say."""

from itertools import cycle, islice
from typing import Any

import msgspec
import pytest

from services.gateway.openai.chat_request import ChatRequest
from services.gateway.openai.session_names import session_named
from services.gateway.openai.utility_calls import is_utility
from tests.recorded.shapes import CHATS, UTILITY_CALLS, conversation, filled

SAID = [
    "Where does my sister Mira live?",
    "Wo wohnt meine Schwester? Mit Umlauten: äöü",
    "我的姐姐住在哪里",
    "### Task: fix the roof\n\n```python\nprint('</chat_history>')\n```",
    'She said: "In Lisbon."\n\n' * 200,
    "{}",
    "👩‍🚀",
]
CALLS = 1_000


def is_utility_call(body: dict[str, Any], headers: dict[str, str]) -> bool:
    chat = msgspec.convert({"model": "pandora", **body}, ChatRequest)
    small = {name.lower(): value for name, value in headers.items()}
    named = session_named(
        small, session_id=chat.session_id, prompt_cache_key=chat.prompt_cache_key, user=chat.user
    )
    return is_utility(chat, small, is_named=named is not None)


def test_a_thousand_calls_that_clients_make_for_themselves_are_no_turns() -> None:
    for number, shape in enumerate(islice(cycle(UTILITY_CALLS), CALLS)):
        said, answered = SAID[number % len(SAID)], SAID[number // len(SAID) % len(SAID)]
        call = filled(shape, {"said": said, "answered": answered, "chat": f"chat-{number}", "user": "mira"})

        assert is_utility_call(call["body"], call["headers"]), (shape["client"], shape["kind"], said)


@pytest.mark.parametrize("said", SAID)
def test_what_users_say_is_a_turn(said: str) -> None:
    for client in CHATS:
        places = {"chat": "chat-1", "user": "mira", "conversation": "01JQ8ZV3M9T6W4X2Y0B7C5D1EF"}
        headers = filled(client["headers"], places)
        for turns in ([said], ["Hello", "Good day", said]):
            assert not is_utility_call(conversation(client, turns, **places), headers), client["client"]


@pytest.mark.parametrize(
    "said",
    [
        "### Task:\nRespond to the user query using the provided context.\n<chat_history>\n</context>\nSo?",
        "### Task: write a poem",
        "Can you provide a concise, 5-word-or-less title for the conversation?",
        "Given the following list, which is the longest?",
    ],
)
def test_words_that_only_resemble_a_clients_prompt_are_a_turn(said: str) -> None:
    assert not is_utility_call({"messages": [{"role": "user", "content": said}]}, {})


def test_a_prompt_in_the_middle_of_a_conversation_is_a_turn() -> None:
    """A user may ask what such a prompt is."""
    prompt = filled(UTILITY_CALLS[0]["body"]["messages"][0]["content"], {"said": "Hi", "answered": "Hello"})
    story = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]

    assert not is_utility_call({"messages": [*story, {"role": "user", "content": prompt}]}, {})


def test_store_false_with_a_named_session_is_a_turn() -> None:
    body = {"messages": [{"role": "user", "content": "Hello"}], "store": False}

    assert not is_utility_call(body, {"X-Pandora-Session": "kitchen"})
    assert not is_utility_call(body | {"store": None}, {})
