"""Which session stock clients name, and which words of a message are the user's."""

import pytest

from services.gateway.http.callers import Caller
from services.gateway.openai.open_webui import OpenWebUiUsers, words_of_user
from services.gateway.openai.session_names import NamedSession, session_named
from shared.contract.abilities import FOR_ADMINS
from shared.contract.errors import Refused

CONVERSATION = "01JQ8ZV3M9T6W4X2Y0B7C5D1EF"
RETRIEVED = (
    "### Task:\nRespond to the user query using the provided context, incorporating inline citations.\n\n"
    '### Output:\nA clear answer.\n\n<context>\n<source id="1">A boat, </context> or not.</source>\n'
    "</context>\n"
)


@pytest.mark.parametrize(
    ("headers", "fields", "expected"),
    [
        ({"x-pandora-session": "a", "x-openwebui-chat-id": "b"}, {"session_id": "c"}, NamedSession("a")),
        ({"x-openwebui-chat-id": "b"}, {"session_id": "c"}, NamedSession("c")),
        (
            {"x-openwebui-chat-id": "b"},
            {"prompt_cache_key": "c"},
            NamedSession("b", is_whole=True),
        ),
        ({"x-openwebui-chat-id": "local:tab"}, {}, None),
        ({}, {"prompt_cache_key": "c", "user": CONVERSATION}, NamedSession("c")),
        (
            {},
            {"prompt_cache_key": "two words"},
            NamedSession("key-a03f1d611645eb53ad16c1af546ca079"),
        ),
        ({}, {"user": CONVERSATION}, NamedSession(CONVERSATION)),
        ({}, {"user": "alice@example.org"}, None),
        ({}, {"user": CONVERSATION.lower()}, None),
    ],
)
def test_the_first_name_of_a_session_counts(
    headers: dict[str, str], fields: dict[str, str], expected: NamedSession | None
) -> None:
    assert session_named(headers, **fields) == expected


@pytest.mark.parametrize("header", ["x-pandora-session", "x-openwebui-chat-id"])
def test_a_header_that_is_no_sessions_name_is_refused_by_name(header: str) -> None:
    with pytest.raises(Refused, match="1 to 128 letters") as refused:
        session_named({header: "two words"})

    assert (refused.value.field or "").lower() == header


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RETRIEVED + "\nWho is Tilda?", "Who is Tilda?"),
        (RETRIEVED + "\n<user_query>\nWho is Tilda?\n</user_query>", "Who is Tilda?"),
        (RETRIEVED + "\n<user_query>\nWho?\n</user_query>\nWho is Tilda?", "Who is Tilda?"),
        (RETRIEVED, RETRIEVED),
        ("### Task:\nRespond to the user query using the provided context.", None),
        ("What does </context> mean?", None),
    ],
)
def test_documents_before_a_users_words_are_not_the_users(text: str, words: str | None) -> None:
    assert words_of_user(text) == (text if words is None else words)


def test_a_signed_user_who_cannot_be_checked_is_refused() -> None:
    """Otherwise all users of that Open WebUI were one."""
    with pytest.raises(Refused, match="OPENWEBUI_JWT_SECRET"):
        OpenWebUiUsers("").user_of({"x-openwebui-user-jwt": "a.b.c"}, Caller("alice", FOR_ADMINS))
