"""What `pandora import conversations` reads: NDJSON, and the exports of ChatGPT and Claude."""

import json
import zipfile
from io import BytesIO
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.imports.formats.recognition import UnknownFormat, read_conversations


def node(parent: str | None, children: list[str], message: Any = None) -> dict[str, Any]:
    return {"id": "x", "parent": parent, "children": children, "message": message}


def said(role: str, *parts: Any, at: float | None = 1683554160.5, **more: Any) -> dict[str, Any]:
    content = {"content_type": more.pop("content_type", "text"), "parts": list(parts)}
    return {"id": "x", "author": {"role": role}, "create_time": at, "content": content, "metadata": {}} | more


CHATGPT = [
    {
        "title": "Bees",
        "create_time": 1683554000.0,
        "conversation_id": "c1",
        "current_node": "n5",
        "mapping": {
            "root": node(None, ["n0"]),
            "n0": node("root", ["n1"], said("system", "")),
            "n1": node("n0", ["n2", "n3"], said("user", "How do bees winter?")),
            "n2": node("n1", [], said("assistant", "An answer that was asked for again.", at=1683559999.0)),
            "n3": node("n1", ["n4"], said("assistant", "search('bees')", recipient="browser")),
            "n4": node("n3", ["n5"], said("tool", "results")),
            "n5": node("n4", [], said("assistant", "They form a cluster.", "", "It keeps warm.", at=None)),
        },
    },
    {
        "id": "c2",
        "mapping": {
            "a": node(
                None,
                ["b", "c"],
                said("user", "Look:", {"asset_pointer": "x"}, content_type="multimodal_text"),
            ),
            "b": node("a", [], said("assistant", "Older.", at=1.0)),
            "c": node("a", ["d"], said("assistant", "thinking", content_type="thoughts")),
            "d": node("c", [], said("assistant", "Newer.", at=2.0)),
        },
    },
]
FROM_CHATGPT = [
    ("c1", "n1", "user", "How do bees winter?", 1683554160.5),
    ("c1", "n5", "assistant", "They form a cluster.\nIt keeps warm.", 1683554160.5),
    ("c2", "a", "user", "Look:", 1683554160.5),
    ("c2", "d", "assistant", "Newer.", 2.0),
]
CLAUDE = [
    {
        "uuid": "k1",
        "name": "Bees",
        "created_at": "2024-05-08T13:00:00Z",
        "account": {"uuid": "u"},
        "chat_messages": [
            {
                "uuid": "m1",
                "sender": "human",
                "text": "How do bees winter?",
                "created_at": "2024-05-08T13:56:00Z",
            },
            {
                "uuid": "m2",
                "sender": "assistant",
                "text": "This block is not supported on your current device yet.",
                "content": [
                    {"type": "tool_use", "input": {}},
                    {"type": "text", "text": "They form a cluster."},
                ],
            },
            {"uuid": "m3", "sender": "human", "text": "", "content": []},
        ],
    }
]
FROM_CLAUDE = [
    ("k1", "m1", "user", "How do bees winter?", "2024-05-08T13:56:00Z"),
    ("k1", "m2", "assistant", "They form a cluster.", "2024-05-08T13:56:00Z"),
]


def read(content: bytes) -> list[Any]:
    found = read_conversations(BytesIO(content))
    lines = list(found.lines)
    assert found.done == found.size
    return [msgspec.json.decode(line) for line in lines]


def rows(messages: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("session_id", "message_id", "speaker", "text", "at")
    return [tuple(message[name] for name in names) for message in messages]


def zipped(**files: object) -> bytes:
    kept = BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".json", json.dumps(content))
    return kept.getvalue()


def test_of_a_chatgpt_export_the_branch_is_read_that_its_owner_sees() -> None:
    assert rows(read(json.dumps(CHATGPT).encode())) == FROM_CHATGPT


def test_of_a_claude_export_the_words_are_read() -> None:
    assert rows(read(json.dumps(CLAUDE).encode())) == FROM_CLAUDE


def test_half_an_emoji_does_not_hide_an_export() -> None:
    content = json.dumps(CLAUDE).replace("winter?", r"winter? \ud83d")

    assert rows(read(content.encode()))[0][3] == "How do bees winter? ?"


def test_an_export_is_read_from_its_zip() -> None:
    assert rows(read(zipped(user={}, conversations=CHATGPT, shared_conversations=[]))) == FROM_CHATGPT
    assert (
        rows(read(zipped(**{"data__conversations-001": CHATGPT[1:], "data__conversations-000": CHATGPT[:1]})))
        == FROM_CHATGPT
    )


@pytest.mark.parametrize("indent", [None, 2])
def test_one_conversation_of_an_export_is_read_too(indent: int | None) -> None:
    assert rows(read(json.dumps(CLAUDE[0], indent=indent).encode())) == FROM_CLAUDE


def test_lines_are_left_as_they_are() -> None:
    content = b'\xef\xbb\xbf\n{"session_id": 1}\r\n\nbad\n{"text": "x"}'

    found = read_conversations(BytesIO(content))

    assert (b"".join(found.lines), found.unit) == (content, "line")


@pytest.mark.parametrize("first", [b"hello", b'{"text": ', b'"text"'])
def test_a_first_line_that_is_bad_does_not_hide_the_others(first: bytes) -> None:
    found = read_conversations(BytesIO(first + b'\n{"text": "x"}\n'))

    assert (len(list(found.lines)), found.unit) == (2, "line")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"hello\n", "unknown format"),
        (b'{"text": ', "unknown format"),
        (b"\xff\xfe\x00", "unknown format"),
        (b'[{"title": "x"}]', "no conversations"),
        (b"[1]", "no conversations"),
        (b"[", "no conversations"),
        (zipped(user={}), "no conversations.json in the .zip"),
        (b"PK\x03\x04 and so on", "cannot be read"),
    ],
)
def test_what_is_nothing_of_that_is_said_with_what_could_be_read(content: bytes, why: str) -> None:
    with pytest.raises(UnknownFormat, match=why) as error:
        list(read_conversations(BytesIO(content)).lines)

    assert all(name in str(error.value) for name in ("NDJSON", "ChatGPT", "Claude"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "author", "role", "content", "parts", "parent", "uuid", "text", "sender"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["mapping", "chat_messages"]), JSON)
def test_an_export_with_something_unexpected_in_it_is_read_all_the_same(
    inner: object, field: str, current: object
) -> None:
    odd = {field: inner, "current_node": current, "uuid": "odd", "id": current}

    assert rows(read(json.dumps([odd, *CLAUDE]).encode()))[-2:] == FROM_CLAUDE
