"""All that is held of a user, taken along, brought back under another name, archived."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from uuid import uuid4

from services.orchestrator.turn.state import turn_dir
from tests.stack import KEYS, ROOT, Stack

QUESTIONS = [
    "Who keeps bees in Lisbon?",
    "Where does the walnut table come from?",
    "When is the pottery class?",
]
SAID = [
    ("Mira", "I keep bees on a roof in Lisbon, three hives of them."),
    ("Jonas", "The walnut table comes from my aunt in Graz."),
    ("Mira", "My pottery class is on Tuesday evenings."),
    ("Jonas", "The train was late again, as it always is."),
]


def pandora(stack: Stack, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env={
            **stack.environment,
            "PANDORA_URL": stack.gateway_url,
            "PANDORA_API_KEY": KEYS["alice"],
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "100",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


async def found(stack: Stack, user: str) -> list[list[tuple[str, str]]]:
    answers = []
    for query in QUESTIONS:
        status, body = await stack.call(
            "POST", "/v1/search", {"query": query, "limit": 3, "kinds": ["turn"], "user": user}
        )
        assert status == 200, body
        answers.append([(hit["message_ids"][0], hit["text"]) for hit in body["hits"]])
    return answers


async def test_an_export_is_brought_back_under_another_name_and_found_there(
    stack: Stack, tmp_path: Path
) -> None:
    owner, heir = f"owner-{uuid4().hex[:8]}", f"heir-{uuid4().hex[:8]}"
    lines = [
        {"session_id": f"s{n // 2}", "message_id": f"m{n}", "speaker": who, "text": text, "at": "8 May 2023"}
        for n, (who, text) in enumerate(SAID)
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    assert (await stack.call("POST", f"/v1/imports?user={owner}", body))[0] == 200
    memory = {
        "memory_id": "m-home-1",
        "user": "somebody",
        "text": "Mira lives in Lisbon.",
        "kind": "fact",
        "subject": "Mira",
        "attribute": "home",
        "value": "Lisbon",
        "confidence": 1.0,
        "stored_confidence": 1.0,
        "valid_from": "2023-05-08T00:00:00Z",
        "valid_to": None,
        "status": "current",
        "made_by": "user",
        "evidence": [
            {"made_by": "user", "said_at": "2023-05-08T00:00:00Z", "quote": "I live in Lisbon"},
            {"made_by": "user", "said_at": "2023-06-08T00:00:00Z", "quote": "Still in Lisbon"},
        ],
        "last_confirmed_at": "2023-06-08T00:00:00Z",
    }
    taken = await stack.call(
        "POST", f"/v1/imports/memories?user={owner}", json.dumps(memory).encode() + b"\n{}"
    )
    assert taken[0] == 200
    assert (taken[1]["stored"], [bad["line"] for bad in taken[1]["bad"]]) == (1, [2])

    file = tmp_path / "owner.zip"
    exported = pandora(stack, tmp_path, "export", str(file), "--user", owner)
    first = pandora(stack, tmp_path, "import", "export", str(file), "--user", heir)
    again = pandora(stack, tmp_path, "import", "export", str(file), "--user", heir)
    returned = tmp_path / "heir.zip"
    pandora(stack, tmp_path, "export", str(returned), "--user", heir)

    assert exported.returncode == first.returncode == again.returncode == 0, (exported, first, again)
    assert "4 messages, 1 memory, 0 images, 0 documents" in exported.stdout
    assert "Imported 4 messages (4 new, 0 changed, 0 known) and 1 memory" in first.stdout
    assert "Imported 4 messages (0 new, 0 changed, 4 known) and 1 memory" in again.stdout
    assert await found(stack, heir) == await found(stack, owner)
    assert [hits[0][0] for hits in await found(stack, heir)] == ["m0", "m1", "m2"]
    assert held(file, "messages.ndjson") == held(returned, "messages.ndjson")
    (before,), (after,) = held(file, "memories.ndjson"), held(returned, "memories.ndjson")
    assert before["text"] == after["text"] == "Mira lives in Lisbon."
    assert before["evidence"] == after["evidence"]
    assert len(before["evidence"]) == 2
    assert before["valid_from"] == after["valid_from"]


async def test_the_turns_of_an_export_are_there_with_their_documents_archived_or_not(
    stack: Stack, tmp_path: Path
) -> None:
    saved = await stack.tell("The lighthouse in Porto Covo is painted in stripes.")
    folder = stack.data_dir / "turns" / turn_dir(saved["turn_number"])
    texts = {name: (folder / name).read_text() for name in os.listdir(folder)}  # noqa: PTH208

    would = pandora(stack, tmp_path, "archive", "--older-than", "0", "--dry-run")
    file = tmp_path / "me.zip"
    pandora(stack, tmp_path, "export", str(file))
    archived = pandora(stack, tmp_path, "archive", "--older-than", "0")
    refused = pandora(stack, tmp_path, "export", str(file))
    forced = pandora(stack, tmp_path, "export", str(file), "--force")

    assert "would be archived" in would.stdout
    assert archived.returncode == 0, archived.stderr
    assert "saved." in archived.stdout
    assert not folder.exists()
    assert (refused.returncode, forced.returncode) == (1, 0)
    assert "--force" in refused.stderr
    with zipfile.ZipFile(file) as opened:
        assert opened.testzip() is None
        place = f"turns/{saved['turn_number']:06d}_{saved['turn_id']}"
        assert {name: opened.read(f"{place}/{name}").decode() for name in texts} == texts
    assert saved["turn_id"] in {row["turn_id"] for row in held(file, "turns.ndjson")}
    said = [line for line in held(file, "messages.ndjson") if line["message_id"].startswith(saved["turn_id"])]
    assert [line["speaker"] for line in said][:1] == ["user"]
    status, text = await stack.call("GET", f"/v1/turns/{saved['turn_id']}/documents/context.md")
    assert (status, text) == (200, texts["context.md"])
    assert (await stack.call("GET", f"/v1/turns/{saved['turn_id']}"))[1]["status"] == "saved"
    assert os.listdir(tmp_path) == ["me.zip"]  # noqa: PTH208


def held(file: Path, name: str) -> list[dict]:  # type: ignore[type-arg]
    with zipfile.ZipFile(file) as opened:
        lines = [json.loads(line) for line in opened.read(name).splitlines()]
    return [{key: value for key, value in line.items() if key != "user"} for line in lines]
