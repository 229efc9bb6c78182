"""Which session a chat completion belongs to, and whose it is."""

from collections.abc import AsyncIterator
from time import time
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from shared.bus.connection import Bus
from tests.contracts.gateway.gateway_room import Client
from tests.contracts.gateway.openai_room import HELLO, PATH, answered, chats_over_http, requested

SECRET = "what Open WebUI and Pandora share"
MIRA = {"sub": "mira-0192", "iss": "open-webui", "exp": time() + 86_400}  # read when tests are collected


@pytest.fixture
async def client(bus: Bus, url: str) -> AsyncIterator[Client]:
    async with chats_over_http(bus, url) as connected:
        yield connected


@pytest.mark.parametrize("said", ["Good day", "  Good\nday ", [{"type": "text", "text": "Good day"}]])
async def test_a_history_that_grows_is_one_session(bus: Bus, client: Client, said: object) -> None:
    await answered(bus, client, HELLO, 1)
    history = [*HELLO["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": "So?"}]
    setup = {"role": "developer", "content": "Be kind."}
    await answered(bus, client, HELLO | {"messages": [setup, *history]}, 2)
    await answered(bus, client, HELLO | {"messages": history}, 3, user="bob")

    one, two, of_bob = await requested(bus, 3)
    assert one.session_id == two.session_id != of_bob.session_id
    assert two.input == "So?"


async def test_conversations_that_begin_alike_are_told_apart_by_their_answers(
    bus: Bus, client: Client
) -> None:
    for number, said in enumerate(["Good day", "Good evening"], 1):
        await answered(bus, client, HELLO, number, said)
    for number, said in enumerate(["Good day", "Good evening"], 3):
        history = [*HELLO["messages"], {"role": "assistant", "content": said}, *HELLO["messages"]]
        await answered(bus, client, HELLO | {"messages": history}, number)

    one, two, *later = [turn.session_id for turn in await requested(bus, 4)]
    assert one != two
    assert later == [one, two]


async def test_the_header_names_the_session_before_the_field(bus: Bus, client: Client) -> None:
    await answered(bus, client, HELLO | {"session_id": "field"}, 1, x_pandora_session="header")
    await answered(bus, client, HELLO | {"session_id": "field"}, 2)
    status, body = await client.call("POST", PATH, HELLO, x_pandora_session="no name")

    assert [turn.session_id for turn in await requested(bus, 2)] == ["header", "field"]
    assert (status, body["error"]["param"]) == (400, "X-Pandora-Session")


@pytest.mark.parametrize(
    ("named", "session"),
    [
        ({"session_id": "field", "prompt_cache_key": "key"}, "field"),
        ({"prompt_cache_key": "kitchen", "user": "01JQ8ZV3M9T6W4X2Y0B7C5D1EF"}, "kitchen"),
        ({"user": "01JQ8ZV3M9T6W4X2Y0B7C5D1EF"}, "01JQ8ZV3M9T6W4X2Y0B7C5D1EF"),
    ],
)
async def test_fields_name_the_session_where_open_webui_does_not(
    bus: Bus, client: Client, named: dict[str, Any], session: str
) -> None:
    await answered(bus, client, HELLO | named, 1)
    of_chat = {"x_openwebui_chat_id": "0192-chat"}
    await answered(bus, client, HELLO | {"prompt_cache_key": "key"}, 2, **of_chat)

    assert [turn.session_id for turn in await requested(bus, 2)] == [session, "0192-chat"]


async def test_an_admins_key_names_users_of_open_webui_and_no_other_key_does(bus: Bus, url: str) -> None:
    async with chats_over_http(bus, url, admin_users="alice") as client:
        of_mira = {"x_openwebui_user_id": "mira-0192"}
        await answered(bus, client, HELLO, 1, **of_mira)
        await answered(bus, client, HELLO, 2, user="bob", **of_mira)
        await answered(bus, client, HELLO, 3)

    assert [turn.user for turn in await requested(bus, 3)] == ["mira-0192", "bob", "alice"]


async def test_where_open_webui_signs_its_users_only_a_signed_user_is_believed(bus: Bus, url: str) -> None:
    signed = SecretStr(SECRET)
    async with chats_over_http(bus, url, admin_users="alice", openwebui_jwt_secret=signed) as client:
        await answered(bus, client, HELLO, 1, x_openwebui_user_jwt=jwt.encode(MIRA, SECRET))
        for wrong in (
            {"x_openwebui_user_id": "mira-0192"},
            {"x_openwebui_user_jwt": jwt.encode(MIRA, SECRET[::-1])},
            {"x_openwebui_user_jwt": jwt.encode(MIRA, "", algorithm="none")},
            {"x_openwebui_user_jwt": jwt.encode(MIRA | {"exp": time() - 300}, SECRET)},
            {"x_openwebui_user_jwt": jwt.encode(MIRA | {"iss": "another"}, SECRET)},
            {"x_openwebui_user_jwt": jwt.encode({"iss": "open-webui", "exp": time() + 9}, SECRET)},
        ):
            assert (await client.call("POST", PATH, HELLO, **wrong))[0] == 401, wrong

    (turn,) = await requested(bus, 1)
    assert turn.user == "mira-0192"


async def test_documents_before_the_users_words_make_no_other_conversation(bus: Bus, client: Client) -> None:
    """As Open WebUI puts them there: in the last message alone."""
    template = (
        "### Task:\nRespond to the user query using the provided context, with citations.\n\n<context>\n"
    )
    retrieved = template + '<source id="1">Tilda is a boat.</source>\n</context>\n\nWho is Tilda?'
    asked = {"role": "user", "content": "Who is Tilda?"}
    await answered(bus, client, HELLO | {"messages": [asked | {"content": retrieved}]}, 1)
    history = [asked, {"role": "assistant", "content": "Good day"}, *HELLO["messages"]]
    await answered(bus, client, HELLO | {"messages": history}, 2)

    one, two = await requested(bus, 2)
    assert one.session_id == two.session_id
    assert "Tilda is a boat." in one.input


# --- branches ---


def said(*turns: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[place % 2], "content": text} for place, text in enumerate(turns)]


async def follow(bus: Bus, client: Client, *stories: list[dict[str, str]], **more: str) -> list[int | None]:
    """Sends these one after the other, each answered with its number. Returns what each turn follows."""
    for number, story in enumerate(stories, 1):
        await answered(bus, client, HELLO | {"messages": story}, number, f"Answer {number}", **more)
    return [turn.follows for turn in await requested(bus, len(stories))]


async def test_what_is_edited_or_asked_again_goes_on_from_where_it_was(bus: Bus, client: Client) -> None:
    first, edited = said("Hello", "Answer 1", "So?"), said("Hello", "Answer 1", "What?")
    later = said("Hello", "Answer 1", "What?", "Answer 3", "And?")

    assert await follow(bus, client, said("Hello"), first, edited, later, first) == [None, 1, 1, 3, 1]
    assert len({turn.session_id for turn in await requested(bus, 5)}) == 1


async def test_a_chat_of_open_webui_that_begins_anew_follows_nothing(bus: Bus, client: Client) -> None:
    chat = {"x_openwebui_chat_id": "0192-chat"}

    assert await follow(bus, client, said("Hello"), said("Hi"), said("Hi", "Answer 2", "So?"), **chat) == [
        0,
        0,
        2,
    ]


async def test_a_client_that_names_the_session_and_sends_one_message_edits_nothing(
    bus: Bus, client: Client
) -> None:
    assert await follow(bus, client, said("Hello"), said("So?"), x_pandora_session="mine") == [None, None]


async def test_of_two_conversations_that_went_alike_no_turn_is_abandoned(bus: Bus, client: Client) -> None:
    """They may as well be two, as one that was edited."""
    for number in (1, 2):
        await answered(bus, client, HELLO, number, "Good day")
    for number, words in ((3, "One"), (4, "Two")):
        story = said("Hello", "Good day", words)
        await answered(bus, client, HELLO | {"messages": story}, number, words)
    going_on = said("Hello", "Good day", "One", "One", "And?")
    await answered(bus, client, HELLO | {"messages": going_on}, 5)

    assert [turn.follows for turn in await requested(bus, 5)] == [None] * 5
