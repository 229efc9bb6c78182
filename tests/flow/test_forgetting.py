"""What is forgotten is in no file of the data folder, and does not come back."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import nats
import pytest

from shared.events import ResearchSaved, encode
from shared.replies import PutFile
from tests.contracts.images_room import pieces, png_with
from tests.stack import Stack

FORGOTTEN = [
    "Quillfeather",
    "zanzibarite",
    "velvetmoth",
    "oblongata77",
    "Hesperidine",
    "marmalofant",
    "turmaline88",
]
"""Words that nobody else says."""


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of its own: every byte of its folder is looked at."""
    started = Stack({})
    started.start()
    try:
        yield started
    finally:
        status = started.stop()
    assert status == 0, started.terminal()
    started.remove()


def files_with(stack: Stack, word: str) -> list[str]:
    """Names of files that hold the word, in any case, as UTF-8."""
    found = []
    wanted = word.lower().encode()
    for path in stack.data_dir.rglob("*"):
        if path.is_file():
            try:
                if wanted in path.read_bytes().lower():
                    found.append(str(path.relative_to(stack.data_dir)))
            except OSError:  # It went while we looked.
                continue
    return found


async def receipt_of(stack: Stack, receipt: dict[str, Any], user: str = "alice") -> dict[str, Any]:
    """Waits until it is erased."""
    deadline = time.monotonic() + 60
    while receipt["state"] != "erased" and time.monotonic() < deadline:
        await asyncio.sleep(0.25)
        _, receipt = await stack.call("GET", f"/v1/users/me/forgets/{receipt['forget_id']}", user=user)
    assert receipt["state"] == "erased", receipt
    return receipt


async def gone_from_files(stack: Stack, word: str, *, within_seconds: float = 30) -> None:
    """NATS compacts its files every ten seconds."""
    deadline = time.monotonic() + within_seconds
    while (found := files_with(stack, word)) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(1)
    assert not found, (word, found)


async def read_a_page(stack: Stack, text: str, user: str) -> None:
    """As a tool would have fetched it in an earlier turn; returns when it is found."""
    now = datetime.now(UTC)
    page = ResearchSaved(
        research_id=uuid4().hex,
        user=user,
        url="https://example.org/stones",
        domain="example.org",
        title="Stones",
        text=text,
        primary_topic="stones",
        quality_overall=0.5,
        confidence_current=0.5,
        fetched_at=now,
        expires_at=now + timedelta(days=1),
        scope="user",
        turn_id=uuid4().hex,
        turn_number=1,
        session_id="family",
        requested_at=now,
    )
    client = await nats.connect(stack.nats_url)
    await client.jetstream().publish(page.subject, encode(page), headers={"Nats-Msg-Id": page.message_id})
    await client.close()
    async with asyncio.timeout(20):
        while not any(hit["kind"] == "research" for hit in await hits(stack, text, user)):  # noqa: ASYNC110  # the indexer knows
            await asyncio.sleep(0.1)


async def show(stack: Stack, file_id: str, user: str) -> dict[str, Any]:
    """A turn with this image, once it is found by searches."""
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "file_id": file_id}]
    status, accepted = await stack.call("POST", "/v1/turns", {"input": parts}, user=user)
    assert status == 202, accepted
    await stack.until_indexed(accepted["id"])
    _, turn = await stack.call("GET", f"/v1/turns/{accepted['id']}", user=user)
    assert [image["file_id"] for image in turn["images"]] == [file_id]
    return dict(turn)


async def put_half(stack: Stack, data: bytes, user: str) -> None:
    """An upload that its sender leaves."""
    (first, _) = pieces(data, user=user, file_id=uuid4().hex, name="half.png", step=len(data) - 1)
    client = await nats.connect(stack.nats_url)
    await client.request(PutFile.subject, encode(first), timeout=10)
    await client.close()


async def hits(stack: Stack, query: str, user: str = "alice") -> list[dict[str, Any]]:
    status, found = await stack.call("POST", "/v1/search", {"query": query}, user=user)
    assert status == 200, found
    return list(found["hits"])


async def test_a_turn_is_forgotten_and_so_is_the_answer_that_quoted_it(own: Stack) -> None:
    told = await own.tell("My locker code is oblongata77 and nobody knows it.", session_id="lockers")
    asked = await own.ask("What is my locker code?", session_id="other")
    assert "oblongata77" in asked["output"]
    assert files_with(own, "oblongata77")

    status, receipt = await own.call("DELETE", f"/v1/turns/{told['turn_id']}")

    assert status == 200, receipt
    assert receipt["turns"] == [told["turn_id"]]
    assert receipt["answers"] == [asked["turn_id"]]
    assert {store["store"] for store in receipt["stores"]} >= {"turns", "messages", "points", "documents"}
    assert receipt["remains"], "backups are named"
    assert (await own.call("GET", f"/v1/turns/{told['turn_id']}"))[0] == 404
    status, kept = await own.call("GET", f"/v1/turns/{asked['turn_id']}")
    assert (status, kept["input"]) == (200, "What is my locker code?")
    assert "oblongata77" not in json.dumps(kept)
    assert not any("oblongata77" in json.dumps(hit) for hit in await hits(own, "locker code"))
    erased = await receipt_of(own, receipt)
    assert all(store["erased"] for store in erased["stores"]), erased
    assert datetime.fromisoformat(erased["erased_by"]).tzinfo
    await gone_from_files(own, "oblongata77")


async def test_all_of_a_user_leaves_no_byte_and_the_others_stay(own: Stack) -> None:
    await own.tell("My sister is called Quillfeather.", session_id="family", user="bob")
    for said in ("I collect zanzibarite stones.", "Where do I keep the velvetmoth box?"):
        await own.tell(said, session_id="family", user="bob")
    lines = [
        {"session_id": "old", "message_id": str(n), "speaker": "bob", "text": text, "at": "8 May 2023"}
        for n, text in enumerate(("I take Hesperidine every day.", "Hesperidine again."))
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    status, imported = await own.call("POST", "/v1/imports", body, user="bob")
    assert (status, imported["new"]) == (200, 2), imported
    status, memory = await own.call(
        "POST", "/v1/memories", {"text": "Bob's favourite stone is zanzibarite"}, user="bob"
    )
    assert status == 201, memory
    await read_a_page(own, "A marmalofant is a rare stone.", user="bob")
    shown = await own.upload("turmaline88.png", png_with("turmaline88"), user="bob")
    await show(own, shown, user="bob")
    await own.upload("turmaline88.png", png_with("turmaline88"), user="bob")
    await put_half(own, png_with("turmaline88"), user="bob")
    assert len([path for path in files_with(own, "turmaline88") if path.startswith("files/")]) == 5
    await own.tell("My garden has a walnut tree.", session_id="garden")

    status, receipt = await own.call("DELETE", "/v1/users/me/data", user="bob")

    assert status == 200, receipt
    assert [one["removed"] for one in receipt["stores"] if one["store"] == "files"] == [2]
    assert (await own.call("GET", "/v1/files", user="bob"))[1]["data"] == []
    assert await hits(own, "Quillfeather zanzibarite velvetmoth Hesperidine", user="bob") == []
    assert (await own.call("GET", "/v1/turns", user="bob"))[1]["turns"] == []
    assert (await own.call("GET", "/v1/memories", user="bob"))[1]["memories"] == []
    await receipt_of(own, receipt, user="bob")
    for word in FORGOTTEN:
        await gone_from_files(own, word)
    assert any("walnut" in hit["text"] for hit in await hits(own, "Which tree is in my garden?"))
    again = await own.tell("I am back and like plums.", session_id="family", user="bob")
    assert [hit["turn_id"] for hit in await hits(own, "plums", user="bob")] == [again["turn_id"]]


async def test_with_a_turn_its_images_are_forgotten(own: Stack) -> None:
    shown = await own.upload("bergamotte5.png", png_with("bergamotte5"))
    other = await own.upload("pear.png", png_with("a pear"))
    turn = await show(own, shown, user="alice")
    assert files_with(own, "bergamotte5")

    status, receipt = await own.call("DELETE", f"/v1/turns/{turn['id']}")

    assert status == 200, receipt
    (of_files,) = (one for one in receipt["stores"] if one["store"] == "files")
    assert (of_files["removed"], of_files["erased"]) == (1, True)
    assert (await own.call("GET", f"/v1/files/{shown}"))[0] == 404
    assert (await own.call("GET", f"/v1/files/{other}"))[0] == 200
    await receipt_of(own, receipt)
    await gone_from_files(own, "bergamotte5")


async def test_the_command_forgets_and_shows_the_receipt(own: Stack) -> None:
    told = await own.tell("My umbrella is called Bellweather.", session_id="umbrellas", user="bob")
    assert files_with(own, "Bellweather")

    _, refused = await pandora(own, "forget", "session", "umbrellas")
    assert "--yes" in refused, "nobody is there to be asked"
    status, shown = await pandora(own, "forget", "session", "umbrellas", "--yes")

    assert status == 0, shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "documents 1 gone" in lines
    assert told["turn_id"] in lines
    assert "Forgotten, and its bytes are gone." in lines
    await gone_from_files(own, "Bellweather")
    status, missing = await pandora(own, "forget", "turn", told["turn_id"], "--yes")
    assert (status, "status 404" in missing) == (1, True), missing
    status, printed = await pandora(own, "forget", "session", "umbrellas", "--yes", "--no-wait", "--json")
    assert (status, json.loads(printed)["turns"]) == (0, [])


async def pandora(stack: Stack, *arguments: str) -> tuple[int | None, str]:
    """The exit status and what the command prints, as bob."""
    environment = stack.environment | {
        "PANDORA_URL": stack.gateway_url,
        "PANDORA_API_KEY": stack.headers("bob")["authorization"].removeprefix("Bearer "),
        "COLUMNS": "200",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        cwd=stack.data_dir,
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


async def test_what_nobody_knows_is_not_found_and_others_users_are_out_of_reach(own: Stack) -> None:
    assert (await own.call("DELETE", "/v1/turns/nothing-here"))[0] == 404
    assert (await own.call("DELETE", "/v1/memories/nothing-here"))[0] == 404
    mine = await own.tell("Mine alone.", session_id="mine")
    assert (await own.call("DELETE", f"/v1/turns/{mine['turn_id']}", user="bob"))[0] == 404
    status, refused = await own.call("DELETE", "/v1/users/alice/data", user="bob")
    assert (status, refused["field"]) == (403, "user")
    assert (await own.call("GET", f"/v1/turns/{mine['turn_id']}"))[0] == 200
