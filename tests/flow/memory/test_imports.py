"""Conversations from elsewhere, imported over HTTP and by command, and found again."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.stack import KEYS, Stack

Line = dict[str, Any]

CHATTER = [
    ("Caroline", "Good morning! Did you sleep well?"),
    ("Melanie", "Not too bad, the rain kept me awake for a while."),
    ("Caroline", "Same here. Coffee first, then the rest of the day."),
    ("Melanie", "The weather should be better by the weekend."),
    ("Caroline", "Fingers crossed. Work has been busy."),
    ("Melanie", "Tell me about it, I had four meetings yesterday."),
    ("Caroline", "I watched a film last night and fell asleep half way."),
    ("Melanie", "Which one? I always fall asleep as well."),
    ("Caroline", "Some old western, I forgot its name."),
    ("Melanie", "Talk soon, I have to run."),
]
FACTS = [
    ("8 May, 2023", "Caroline", "I finally adopted a greyhound from the shelter, his name is Biscuit."),
    ("1:56 pm on 20 May, 2023", "Melanie", "My pottery class starts next Tuesday at the old mill."),
    (
        "2023/06/09 (Fri) 19:55",
        "Caroline",
        "We are moving to Trondheim in the autumn because of the new job.",
    ),
    ("2023-07-01T08:00:00Z", "Melanie", "The doctor says that I am allergic to walnuts."),
    (
        "Sun, 16 Jul 2023 10:30:00 +0200",
        "Caroline",
        "My grandmother's recipe for the plum cake has cardamom in it.",
    ),
    ("1691400000", "Melanie", "I ran the half marathon in two hours and four minutes."),
]
QUESTIONS = [
    ("What is the name of Caroline's dog?", 0),
    ("Where is Melanie's pottery class?", 1),
    ("Which city is Caroline moving to?", 2),
    ("What is Melanie allergic to?", 3),
    ("Which spice is in the plum cake?", 4),
    ("How long did the half marathon take?", 5),
]


def conversation() -> list[Line]:
    """Six sessions of eleven messages, one of which is a fact."""
    lines = []
    for session, (at, speaker, fact) in enumerate(FACTS):
        said = [*CHATTER[:5], (speaker, fact), *CHATTER[5:]]
        for number, (who, text) in enumerate(said):
            name = f"D{session + 1}:{number + 1}"
            lines.append(
                {
                    "session_id": f"session {session + 1}",
                    "message_id": name,
                    "speaker": who,
                    "text": text,
                    "at": at,
                }
            )
    return lines


def ndjson(lines: list[Line]) -> bytes:
    return "\n".join(map(json.dumps, lines)).encode()


async def send(stack: Stack, body: bytes, user: str) -> Any:
    status, answer = await stack.call("POST", f"/v1/imports?user={user}", body)
    assert status == 200, answer
    return answer


async def find(stack: Stack, user: str, query: str, **more: Any) -> list[Any]:
    status, answer = await stack.call("POST", "/v1/search", {"query": query, "user": user} | more)
    assert status == 200, answer
    hits: list[Any] = answer["hits"]
    return hits


def new_user() -> str:
    """One that no other test has told the stack about; alice, who asks, is an admin."""
    return f"reader-{uuid4().hex[:8]}"


async def test_what_was_imported_is_found_by_what_was_said_when_and_by_whom(stack: Stack) -> None:
    user, lines = new_user(), conversation()

    answer = await send(stack, ndjson(lines), user)

    assert (answer["lines"], answer["new"], answer["bad_lines"]) == (66, 66, 0)
    for question, session in QUESTIONS:
        hits = await find(stack, user, question)
        assert f"D{session + 1}:6" in [name for hit in hits for name in hit["message_ids"]][:5], question
    [first, *_] = await find(stack, user, "What is Melanie allergic to?", explain=True)
    assert first["message_ids"][0] == "D4:6"
    assert (first["kind"], first["session_id"], first["speaker"]) == ("turn", "session 4", "Melanie")
    assert first["at"].startswith("2023-07-01T08:00:00")
    assert first["explain"]


async def test_a_search_keeps_to_its_session_speaker_time_and_user(stack: Stack) -> None:
    user, other = new_user(), new_user()
    await send(stack, ndjson(conversation()), user)

    in_session = await find(stack, user, "walnuts", session_id="session 1")
    by_melanie = await find(stack, user, "plum cake", speaker="melanie", limit=50)
    in_july = await find(stack, user, "marathon", since="2023-07-01", until="2023-07-31", limit=50)

    assert in_session
    assert {hit["session_id"] for hit in in_session} == {"session 1"}
    assert by_melanie
    assert {hit["speaker"] for hit in by_melanie} == {"Melanie"}
    assert in_july
    assert {hit["session_id"] for hit in in_july} <= {"session 4", "session 5"}
    assert await find(stack, other, "walnuts") == []


async def test_the_same_file_again_changes_nothing_and_bad_lines_do_not_stop_the_good(stack: Stack) -> None:
    user, lines = new_user(), conversation()
    texts = ndjson(lines).split(b"\n")
    mixed = b"\n".join([b"not json", *texts[:30], b'{"text": "no ids"}', b"", *texts[30:]])

    first = await send(stack, mixed, user)
    again = await send(stack, mixed, user)
    corrected = await send(
        stack, ndjson([lines[5] | {"text": "I adopted a whippet, her name is Pepper."}]), user
    )

    assert [bad["line"] for bad in first["bad"]] == [1, 32]
    assert (first["lines"], first["new"], first["bad_lines"]) == (68, 66, 2)
    assert (again["new"], again["changed"], again["known"], again["bad_lines"]) == (0, 0, 66, 2)
    assert (corrected["new"], corrected["changed"], corrected["known"]) == (0, 1, 0)
    [first_hit, *_] = await find(stack, user, "What is the name of Caroline's dog?")
    assert "Pepper" in first_hit["text"]
    everything = await find(stack, user, "greyhound shelter Biscuit", limit=100)
    assert not any("Biscuit" in hit["text"] for hit in everything)


async def test_only_an_admin_names_another_user(stack: Stack) -> None:
    line = {"session_id": "s", "message_id": "m", "speaker": "Bob", "text": "Mine.", "user": "alice"}

    imported, problem = await stack.call("POST", "/v1/imports?user=alice", ndjson([line]), user="bob")
    searched, other = await stack.call("POST", "/v1/search", {"query": "x", "user": "alice"}, user="bob")
    _, answer = await stack.call("POST", "/v1/imports", ndjson([line]), user="bob")

    assert (imported, problem["field"]) == (404, "user")
    assert (searched, other["field"]) == (404, "user")
    assert (answer["new"], answer["bad_lines"]) == (0, 1)


async def test_an_answer_stands_on_what_was_imported(stack: Stack) -> None:
    bee = uuid4().hex[:6]
    line = {"session_id": f"s-{bee}", "message_id": bee, "speaker": "Mira"}
    text = {"text": f"The hive number {bee} stands behind the chapel.", "at": "8 May 2023"}

    await stack.call("POST", "/v1/imports", ndjson([line | text]))
    answered = await stack.ask(f"Where does the hive number {bee} stand?")

    assert "chapel" in answered["output"]
    assert answered["sources"][0]["message_ids"] == [bee]


async def run(stack: Stack, *words: str, user: str = "alice") -> tuple[int, str, str]:
    """`pandora import conversations` with alice's key."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "import", "conversations", *words),
        cwd=stack.data_dir,
        env=stack.environment | {"PANDORA_API_KEY": KEYS[user], "PANDORA_URL": stack.gateway_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_a_file_is_imported_by_command(stack: Stack, tmp_path: Path) -> None:
    user, file = new_user(), tmp_path / "talk.ndjson"
    file.write_bytes(ndjson(conversation()))

    first = await run(stack, str(file), "--user", user)
    file.write_bytes(ndjson(conversation()) + b"\nbad\n")
    again = await run(stack, str(file), "--user", user, "--json")

    assert (first[0], first[1]) == (0, "Imported 66 messages (66 new, 0 changed, 0 known).\n"), first[2]
    assert again[0] == 1
    assert json.loads(again[1])["known"] == 66
    assert [bad["line"] for bad in json.loads(again[1])["bad"]] == [67]
    [hit, *_] = await find(stack, user, "What is Melanie allergic to?")
    assert hit["message_ids"][0] == "D4:6"


async def test_an_export_is_imported_by_command(stack: Stack, tmp_path: Path) -> None:
    user, file = new_user(), tmp_path / "conversations.json"
    messages = [
        {"uuid": "m1", "sender": "human", "text": "I keep the spare key under the blue flowerpot."},
        {"uuid": "m2", "sender": "assistant", "text": "Noted.", "created_at": "2024-05-08T13:56:00Z"},
    ]
    export = [{"uuid": "c1", "created_at": "2024-05-08T13:00:00Z", "chat_messages": messages}]
    file.write_text(json.dumps(export))

    code, said, errors = await run(stack, str(file), "--user", user)
    [hit, *_] = await find(stack, user, "Where is the spare key?")

    assert (code, said) == (0, "Imported 2 messages (2 new, 0 changed, 0 known).\n"), errors
    assert (hit["message_ids"][0], hit["session_id"], hit["speaker"]) == ("m1", "c1", "user")


async def test_who_may_not_is_told_so(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "talk.ndjson"
    file.write_bytes(ndjson(conversation()))

    code, _, errors = await run(stack, str(file), "--user", "alice", user="bob")

    assert code == 1
    assert "there is no user alice for this key of bob" in errors
