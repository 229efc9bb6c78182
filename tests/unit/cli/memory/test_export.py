"""`pandora export` and `pandora import export`, as far as they need no gateway; a memory on its way back."""

import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from cli.imports.exported import without_user
from cli.main import app
from cli.memory.exports import contents_of, read_manifest
from cli.terminal.failure import CommandFailed
from cli.terminal.output import harmless
from services.gateway.imports.memories import read_memory, statements_of
from shared.contract.events import encode
from shared.contract.memories import Evidence, Memory

AT = datetime(2026, 3, 5, 10, tzinfo=UTC)
LATER = AT + timedelta(days=30)


def written(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in files.items():
            packed.writestr(name.replace("_", "."), data)
    return path


def memory(**more: Any) -> Memory:
    fields: dict[str, Any] = {
        "memory_id": "m1",
        "user": "alice",
        "text": "Mira lives in Lisbon.",
        "kind": "fact",
        "subject": "Mira",
        "attribute": "home",
        "value": "Lisbon",
        "confidence": 0.5,
        "stored_confidence": 0.9,
        "valid_from": AT,
        "valid_to": None,
        "status": "current",
        "made_by": "reflector",
        "evidence": [
            Evidence(made_by="reflector", said_at=AT, turn_id="t7", session_id="s1", quote="in Lisbon"),
            Evidence(made_by="user", said_at=LATER),
        ],
        "last_confirmed_at": LATER,
    }
    return Memory(**fields | more)


# --- the command ---


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "me.zip"
    file.write_text("dear to me")

    result = CliRunner().invoke(app, ["export", str(file)])

    assert isinstance(result.exception, CommandFailed)
    assert "--force" in str(result.exception)
    assert file.read_text() == "dear to me"


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_export_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: list[str]
) -> None:
    monkeypatch.setenv("PANDORA_URL", "http://127.0.0.1:9")
    file = tmp_path / "me.zip"
    if force:
        file.write_text("dear to me")

    result = CliRunner().invoke(app, ["export", str(file), *force])

    assert isinstance(result.exception, CommandFailed)
    assert "No gateway answers" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == (["me.zip"] if force else [])
    assert not force or file.read_text() == "dear to me"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", str(tmp_path / "nowhere" / "me.zip")])

    assert isinstance(result.exception, CommandFailed)
    assert "cannot be written" in str(result.exception)


def test_what_is_no_whole_export_is_refused(tmp_path: Path) -> None:
    half = written(tmp_path / "half.zip", messages_ndjson=b"")
    text = tmp_path / "text.zip"
    text.write_text("no zip")

    for file in (half, text):
        with pytest.raises(CommandFailed, match="not a whole export"):
            read_manifest(file)
    with pytest.raises(CommandFailed, match="cannot be read"):
        read_manifest(tmp_path / "nothing.zip")


def test_an_export_of_another_format_is_not_guessed_at(tmp_path: Path) -> None:
    file = written(tmp_path / "new.zip", manifest_json=b'{"format": 2, "user": "alice", "counts": {}}')

    result = CliRunner().invoke(app, ["import", "export", str(file)])

    assert "has format 2" in str(result.exception)


def test_messages_lose_whose_they_were(tmp_path: Path) -> None:
    lines = [b'{"user":"alice","message_id":"m1","text":"a"}\n', b"not json\n"]

    assert list(without_user(lines)) == [b'{"message_id":"m1","text":"a"}', b"not json\n"]


def test_control_characters_are_not_printed() -> None:
    assert harmless("a\x1b[31mb") == "a\N{REPLACEMENT CHARACTER}[31mb"


# --- a memory on its way back ---


def test_a_memory_comes_back_with_all_that_it_is_known_from() -> None:
    first, again = statements_of(read_memory(encode(memory())), "bob")

    assert (first.user, first.memory_id, again.memory_id) == ("bob", "m1", "m1-1")
    assert (first.statement.value, first.statement.confidence) == ("Lisbon", 0.9)
    assert (first.statement.valid_from, first.statement.said_at) == (AT, AT)
    assert (first.statement.turn_id, first.statement.quote) == ("t7", "in Lisbon")
    assert (again.statement.made_by, again.statement.valid_from) == ("user", LATER)


def test_a_memory_that_holds_no_more_comes_back_ended() -> None:
    (only,) = statements_of(memory(valid_to=LATER, status="superseded", superseded_by="m2"), "bob")

    assert (only.statement.valid_from, only.statement.valid_to) == (AT, LATER)


def test_a_memory_without_evidence_comes_back_as_it_is() -> None:
    (only,) = statements_of(memory(evidence=[]), "bob")

    assert (only.memory_id, only.statement.made_by, only.statement.said_at) == ("m1", "reflector", AT)


@pytest.mark.parametrize("line", [b"{}", b"\xff", b"[]"])
def test_a_line_that_is_no_memory_says_so(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_memory(line)


def test_the_manifest_of_before_is_read(tmp_path: Path) -> None:
    body = {"format": 1, "user": "alice", "counts": {"messages": 0}, "more": "of later"}
    file = written(tmp_path / "one.zip", manifest_json=msgspec.json.encode(body))

    assert read_manifest(file)["user"] == "alice"


def test_one_of_a_kind_is_counted_as_one() -> None:
    counts = {"messages": 1200, "memories": 1, "files": 1, "documents": 0, "folders": 1}

    said = contents_of({"user": "alice", "counts": counts})

    assert said == "1,200 messages, 1 memory, 1 image, 0 documents of 1 turn of alice"
