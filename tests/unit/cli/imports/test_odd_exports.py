"""Exports as they are in the wild: odd conversations, branches, marks, zips in zips, other encodings."""

import json
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.imports.formats.archives import Archive, BadArchive
from cli.imports.formats.citations import without_marks
from cli.imports.formats.recognition import Conversations, UnknownFormat, read_conversations
from cli.imports.formats.values import values_in
from tests.stack import ROOT

CASES = ROOT.parent / "shared" / "cases" / "imports"


def claude(uuid: str = "k", *messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"uuid": uuid, "name": "Bees", "chat_messages": list(messages)} | more


def said(uuid: str, text: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    by = {} if parent is None else {"parent_message_uuid": parent}
    return {"uuid": uuid, "sender": "human", "text": text} | by | more


def read(file: IO[bytes]) -> tuple[list[str], Conversations]:
    """The texts, and what else was found."""
    found = read_conversations(file)
    return [msgspec.json.decode(line)["text"] for line in found.lines], found


def read_json(value: object) -> tuple[list[str], Conversations]:
    return read(BytesIO(json.dumps(value).encode()))


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (
            "chatgpt_one_without_mapping.json",
            ["Which honey did I like?", "You liked the heather honey from Galway."] * 2,
        ),
        ("chatgpt_slim.json", ["My kayak is called Sardine.", "Noted, Sardine it is."]),
        ("chatgpt_odd_parts.json", ["My allotment is number 14.", "Allotment 14 is noted."]),
        (
            "chatgpt_citation_marks.json",
            [
                "When does the Alfama tram museum open?",
                "The Alfama tram museum opens at ten. It belongs to Carris.",
            ],
        ),
        (
            "claude_edited_question.json",
            ["My new flat is at 21 Harbour Street.", "Twenty-one Harbour Street, noted."],
        ),
        (
            "privacy_portal.zip",
            [
                "When does the Alfama tram museum open?",
                "The Alfama tram museum opens at ten. It belongs to Carris.",
            ],
        ),
        ("powershell_utf16.ndjson", ["The ladder is in the shed."]),
    ],
)
def test_a_case_from_the_wild_is_read(name: str, texts: list[str]) -> None:
    if not (CASES / name).exists():
        pytest.skip(f"{CASES} is not there")
    with (CASES / name).open("rb") as file:
        assert read(file)[0] == texts


GOOD = claude("good", said("m", "Good."))


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ('{"title": "Trip", "id": "c1"}', '"Trip" (c1): it has no messages'),
        ('{"mapping": null, "id": "c1"}', "(c1): its `mapping` is no table"),
        ('{"mapping": {}}', "it has no id"),
        ('{"chat_messages": 3, "uuid": "k"}', "(k): its `chat_messages` is no list"),
        ('{"chat_messages": []}', "it has no uuid"),
        ("null", "it is no whole JSON object"),
        ("7", "it is no whole JSON object"),
        ('"text"', "it is no whole JSON object"),
        ("[]", "it is no whole JSON object"),
        ('{"chat_messages": [1 2]}', "it is no whole JSON object"),
        ('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", "it is no whole JSON object"),
    ],
)
def test_an_odd_conversation_is_named_and_the_others_come_in(odd: str, reason: str) -> None:
    good = json.dumps(GOOD)

    texts, found = read(BytesIO(f"[{good}, {odd}, {good}]".encode()))

    assert texts == ["Good.", "Good."]
    assert found.odd_conversations == 1
    assert found.odd[0].startswith("conversation 2")
    assert reason in found.odd[0]


@pytest.mark.parametrize("odd", [b'"\xff"', b'"a\nb"', b'"\\ud83d"', b"NaN", b"1e999", b"9" * 400])
def test_odd_characters_and_numbers_hide_nothing(odd: bytes) -> None:
    inner = b'{"uuid": "k", "name": %s, "chat_messages": [{"uuid": "m", "sender": "human", "text": "Here."}]}'
    good = json.dumps(GOOD).encode()

    texts, _ = read(BytesIO(b"[" + good + b"," + inner % odd + b"," + good + b"]"))

    assert texts == ["Good.", "Here.", "Good."]


def test_of_an_export_that_breaks_off_the_whole_conversations_come_in() -> None:
    texts, found = read(BytesIO(json.dumps([GOOD, GOOD, GOOD]).encode()[:-30]))

    assert texts == ["Good.", "Good."]
    assert found.odd == ["conversation 3: it is no whole JSON object"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(['"', "\\", "]", "{,"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=6), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_values_are_cut_wherever_the_pieces_end(
    values: list[Any], length: int, indent: int | None, ascii_only: bool
) -> None:
    kept = [value for value in values if isinstance(value, list | dict)]
    text = json.dumps(kept, indent=indent, ensure_ascii=ascii_only).encode()
    pieces = [text[start : start + length] for start in range(0, len(text), length)]

    assert [json.loads(value or b"") for value in values_in(pieces, of_list=True)] == kept


def test_a_value_that_is_too_large_is_skipped() -> None:
    text = json.dumps([{"a": 1}, {"b": "x" * 100}, {"c": 3}]).encode()

    for length in (1, 7, 1000):
        pieces = [text[start : start + length] for start in range(0, len(text), length)]
        assert list(values_in(pieces, of_list=True, largest=50)) == [b'{"a": 1}', None, b'{"c": 3}']


# --- branches, attachments ---

TREE = [said("a1", "old", "0"), said("a2", "new", "0"), said("b1", "answer", "a1"), said("b2", "again", "a1")]


@pytest.mark.parametrize(
    ("current", "times", "texts"),
    [
        ("b1", {}, ["old", "answer"]),
        ("a2", {}, ["new"]),
        (None, {}, ["old", "again"]),
        ("gone", {"a2": "2025-01-03", "b1": "2025-01-02"}, ["new"]),
        (None, {"b1": "2025-01-02T00:00:00Z", "b2": "2025-01-01T00:00:00Z"}, ["old", "answer"]),
        (7, {"a1": "2026"}, ["old", "again"]),
    ],
)
def test_only_the_branch_that_was_seen_last_is_read(
    current: object, times: dict[str, str], texts: list[str]
) -> None:
    messages = [node | {"created_at": times.get(node["uuid"])} for node in TREE]
    of_claude = claude("k", *messages, current_leaf_message_uuid=current)
    mapping = {
        one["uuid"]: {
            "parent": one["parent_message_uuid"],
            "message": {
                "author": {"role": "user"},
                "content": {"content_type": "text", "parts": [one["text"]]},
                "create_time": one.get("created_at"),
            },
        }
        for one in messages
    }

    assert read_json([of_claude])[0] == texts
    assert read_json([{"id": "c", "mapping": mapping, "current_node": current}])[0] == texts


def test_pasted_text_is_part_of_a_message_and_what_is_left_out_is_counted() -> None:
    message = said(
        "m",
        "Read this:",
        attachments=[
            {"file_name": "", "extracted_content": "The ferry leaves at nine."},
            {"file_name": "b.pdf"},
        ],
        files=[{"file_name": "cat.PNG"}, {"file_name": "b.pdf"}],
        content=[
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "Read this:"},
            {"type": "tool_use", "name": "search"},
            {"type": "tool_result"},
        ],
    )
    only_pasted = said("n", "", attachments=[{"file_name": "paste.txt", "extracted_content": "Pier four."}])

    texts, found = read_json([claude("k", message, only_pasted)])

    assert texts == ["Read this:\nThe ferry leaves at nine.", "Pier four."]
    assert found.left_out == {
        **{"images": 1, "files": 1, "thoughts": 1, "tool calls": 1, "results of tools": 1}
    }


def test_a_message_that_is_too_long_comes_in_parts_with_the_same_ids_each_time() -> None:
    found = read_conversations(BytesIO(json.dumps([claude("k", said("m", "é" * 300_000))]).encode()))
    messages = [msgspec.json.decode(line) for line in found.lines]

    assert [message["message_id"] for message in messages] == ["m", "m:2", "m:3"]
    assert "".join(message["text"] for message in messages) == "é" * 300_000


# --- marks ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("At ten. \ue200cite\ue202turn0search3\ue202turn0search8\ue201 Then", "At ten. Then"),
        ('of \ue200entity\ue202["organization", "Carris", 0]\ue201.', "of Carris."),
        ('a \ue200product_entity\ue202["turn0product1","Kayak"]\ue201', "a Kayak"),
        ("see \ue200url\ue202The page\ue202https://example.org/a\ue201!", "see The page!"),
        ("\ue200navlist\ue202More on bees\ue202turn0news1,turn0news2\ue201", "More on bees"),
        ("so\ue200filecite\ue202turn0file1\ue202L1-L3\ue201.", "so."),
        ("\ue203Ten\ue204 o'clock\ue206", "Ten o'clock"),
        ("Ten citeturn0search3turn1view0 today", "Ten today"),
        ("Ten \ue200cite\ue202turn0search3", "Ten"),
        ("one \ue200cite\ue202turn0search3 two \ue200cite\ue202turn0search4\ue201", "one two"),
        ("Ten【4†source】 and【12:3†notes.pdf】.", "Ten and."),
        ("Ten:contentReference[oaicite:0]{index=0}.", "Ten."),
        ("Return to turn 0 and search 3, † or \u2020.", "Return to turn 0 and search 3, † or \u2020."),
        ("  left as it is  ", "  left as it is  "),
    ],
)
def test_citation_marks_go_and_words_stay(text: str, words: str) -> None:
    assert without_marks(text) == words


@given(st.text(st.sampled_from('ab \ue200\ue201\ue202\ue203\U000f0001["],')))
def test_no_private_use_character_is_left(text: str) -> None:
    assert not any(0xE000 <= ord(one) <= 0xF8FF or ord(one) >= 0xF0000 for one in without_marks(text))


# --- files ---


def zipped(files: dict[str, bytes]) -> bytes:
    kept = BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return kept.getvalue()


EXPORT = json.dumps([GOOD]).encode()


def test_a_zip_in_a_zip_is_opened_and_one_that_lies_deeper_is_named() -> None:
    inner = zipped({"Conversations/conversations-0001.json": EXPORT})
    twice = zipped({"a/Conversations_1.zip": inner, "b/Conversations_2.ZIP": inner, "report.html": b"x"})
    deep = zipped({"a.zip": zipped({"b.zip": zipped({"c.zip": inner})})})

    assert read(BytesIO(twice))[0] == ["Good.", "Good."]
    with pytest.raises(UnknownFormat, match=r"c\.zip lies in 3 zips\. Unpack them"):
        read(BytesIO(deep))


def test_one_bad_file_of_an_export_does_not_hide_the_others() -> None:
    texts, found = read(
        BytesIO(zipped({"conversations-000.json": b'{"x": 1}', "conversations-001.json": EXPORT}))
    )

    assert (texts, found.odd_conversations) == (["Good."], 1)


def test_a_zip_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped({"conversations.json": b"[" + b" " * 1_000_000})

    with pytest.raises(BadArchive, match="unpacks to more than"):
        list(Archive(BytesIO(bomb), most_bytes=999_999).files())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("as_lines", [True, False])
def test_other_encodings_are_read(encoding: str, as_lines: bool) -> None:
    text = "Łódź \u2028 🐝"
    line = {"session_id": "s", "message_id": "m", "speaker": "Ana", "text": text}
    value = line if as_lines else [claude("k", said("m", text))]
    content = json.dumps(value, ensure_ascii=False)

    found = read_conversations(BytesIO(content.encode(encoding)))

    (message,) = (json.loads(one.decode("utf-8-sig")) for one in found.lines)
    assert message["text"] == text
    assert found.unit == ("line" if as_lines else "message")


_PEAK = """
import re, sys
from pathlib import Path
from cli.imports.formats.recognition import read_conversations
with open(sys.argv[1], "rb") as file:
    count = sum(1 for _ in read_conversations(file).lines)
print(count, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
"""Prints how many messages there are, and the most kilobytes that the process had in memory."""


def test_memory_does_not_grow_with_the_export(tmp_path: Path) -> None:
    def peak(conversations: int) -> tuple[int, int]:
        file = tmp_path / "conversations.json"
        one = json.dumps(claude("k", *(said(f"m{n}", "word " * 400) for n in range(20))))
        file.write_text("[" + ",".join([one] * conversations) + "]")
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, str(file)], capture_output=True, check=True, cwd=ROOT
        )
        count, kilobytes = map(int, done.stdout.split())
        return count, kilobytes

    small, large = peak(20), peak(1000)  # 0.8 and 42 MB

    assert (small[0], large[0]) == (400, 20_000)
    assert large[1] - small[1] < 16 * 1024
