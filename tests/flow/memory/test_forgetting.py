"""What is forgotten is in no file of the data folder, and does not come back."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from shared.contract.events import ResearchSaved, encode
from shared.contract.requests import PutFile
from tests.contracts.orchestrator.images_room import pieces, png_with
from tests.flow.command import pandora
from tests.flow.memory.erasure import files_with, gone_from_files, receipt_of
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
"""Words that no other test says."""


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
    client = await stack.bus("orchestrator")
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
    client = await stack.bus()
    await client.request(PutFile.subject, encode(first), timeout=10)
    await client.close()


async def hits(stack: Stack, query: str, user: str = "alice") -> list[dict[str, Any]]:
    status, found = await stack.call("POST", "/v1/search", {"query": query}, user=user)
    assert status == 200, found
    return list(found["hits"])


async def test_a_turn_is_forgotten_and_so_is_the_answer_that_quoted_it(stack: Stack) -> None:
    first = await stack.tell("My other locker code is medulla42.", session_id="cellar")
    status, put_off = await stack.call("DELETE", f"/v1/turns/{first['turn_id']}")
    assert (status, put_off["state"]) == (200, "forgotten"), "its bytes go later"
    assert datetime.fromisoformat(put_off["erased_by"]) > datetime.now(UTC) + timedelta(hours=23)
    told = await stack.tell("My locker code is oblongata77 and nobody knows it.", session_id="lockers")
    asked = await stack.ask("What is my locker code?", session_id="other")
    assert "oblongata77" in asked["output"]
    assert files_with(stack, "oblongata77")

    status, receipt = await stack.call("DELETE", f"/v1/turns/{told['turn_id']}?now=true")

    assert status == 200, receipt
    assert receipt["turns"] == [told["turn_id"]]
    assert receipt["answers"] == [asked["turn_id"]]
    assert {store["store"] for store in receipt["stores"]} >= {"turns", "messages", "points", "documents"}
    assert receipt["remains"], "backups are named"
    assert (await stack.call("GET", f"/v1/turns/{told['turn_id']}"))[0] == 404
    status, kept = await stack.call("GET", f"/v1/turns/{asked['turn_id']}")
    assert (status, kept["input"]) == (200, "What is my locker code?")
    assert "oblongata77" not in json.dumps(kept)
    assert not any("oblongata77" in json.dumps(hit) for hit in await hits(stack, "locker code"))
    erased = await receipt_of(stack, receipt)
    assert all(store["erased"] for store in erased["stores"]), erased
    assert datetime.fromisoformat(erased["erased_by"]).tzinfo
    await gone_from_files(stack, "oblongata77")
    await receipt_of(stack, put_off)
    await gone_from_files(stack, "medulla42")


async def test_all_of_a_user_leaves_no_byte_and_the_others_stay(stack: Stack) -> None:
    await stack.tell("My sister is called Quillfeather.", session_id="family", user="carol")
    for said in ("I collect zanzibarite stones.", "Where do I keep the velvetmoth box?"):
        await stack.tell(said, session_id="family", user="carol")
    lines = [
        {"session_id": "old", "message_id": str(n), "speaker": "carol", "text": text, "at": "8 May 2023"}
        for n, text in enumerate(("I take Hesperidine every day.", "Hesperidine again."))
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    status, imported = await stack.call("POST", "/v1/imports", body, user="carol")
    assert (status, imported["new"]) == (200, 2), imported
    status, memory = await stack.call(
        "POST", "/v1/memories", {"text": "Carol's favourite stone is zanzibarite"}, user="carol"
    )
    assert status == 201, memory
    await read_a_page(stack, "A marmalofant is a rare stone.", user="carol")
    shown = await stack.upload("turmaline88.png", png_with("turmaline88"), user="carol")
    await show(stack, shown, user="carol")
    await stack.upload("turmaline88.png", png_with("turmaline88"), user="carol")
    await put_half(stack, png_with("turmaline88"), user="carol")
    assert len([path for path in files_with(stack, "turmaline88") if path.startswith("files/")]) == 5
    await stack.tell("My orchard has a walnut tree.", session_id="orchard")

    status, receipt = await stack.call("DELETE", "/v1/users/me/data?now=true", user="carol")

    assert status == 200, receipt
    assert [one["removed"] for one in receipt["stores"] if one["store"] == "files"] == [2]
    assert (await stack.call("GET", "/v1/files", user="carol"))[1]["data"] == []
    assert await hits(stack, "Quillfeather zanzibarite velvetmoth Hesperidine", user="carol") == []
    assert (await stack.call("GET", "/v1/turns", user="carol"))[1]["turns"] == []
    assert (await stack.call("GET", "/v1/memories", user="carol"))[1]["memories"] == []
    await receipt_of(stack, receipt, user="carol")
    for word in FORGOTTEN:
        await gone_from_files(stack, word)
    assert any("walnut" in hit["text"] for hit in await hits(stack, "Which tree is in my orchard?"))
    again = await stack.tell("I am back and like plums.", session_id="family", user="carol")
    assert [hit["turn_id"] for hit in await hits(stack, "plums", user="carol")] == [again["turn_id"]]


async def test_with_a_turn_its_images_are_forgotten(stack: Stack) -> None:
    shown = await stack.upload("bergamotte5.png", png_with("bergamotte5"))
    other = await stack.upload("pear.png", png_with("a pear"))
    turn = await show(stack, shown, user="alice")
    assert files_with(stack, "bergamotte5")

    status, receipt = await stack.call("DELETE", f"/v1/turns/{turn['id']}?now=true")

    assert status == 200, receipt
    (of_files,) = (one for one in receipt["stores"] if one["store"] == "files")
    assert (of_files["removed"], of_files["erased"]) == (1, True)
    assert (await stack.call("GET", f"/v1/files/{shown}"))[0] == 404
    assert (await stack.call("GET", f"/v1/files/{other}"))[0] == 200
    await receipt_of(stack, receipt)
    await gone_from_files(stack, "bergamotte5")


async def test_the_command_forgets_and_shows_the_receipt(stack: Stack) -> None:
    told = await stack.tell("My umbrella is called Bellweather.", session_id="umbrellas", user="bob")
    assert files_with(stack, "Bellweather")

    _, refused = await pandora(stack, "forget", "session", "umbrellas", user="bob")
    assert "--yes" in refused, "there is no terminal to ask in"
    status, shown = await pandora(stack, "forget", "session", "umbrellas", "--yes", "--now", user="bob")

    assert status == 0, shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "documents 1 gone" in lines
    assert told["turn_id"] in lines
    assert "Forgotten, and its bytes are gone." in lines
    await gone_from_files(stack, "Bellweather")
    status, missing = await pandora(stack, "forget", "turn", told["turn_id"], "--yes", user="bob")
    assert (status, "status 404" in missing) == (1, True), missing
    status, printed = await pandora(
        stack, "forget", "session", "umbrellas", "--yes", "--no-wait", "--json", user="bob"
    )
    assert (status, json.loads(printed)["turns"]) == (0, [])


async def test_what_is_unknown_is_not_found_and_other_users_are_out_of_reach(stack: Stack) -> None:
    assert (await stack.call("DELETE", "/v1/turns/nothing-here"))[0] == 404
    assert (await stack.call("DELETE", "/v1/memories/nothing-here"))[0] == 404
    mine = await stack.tell("Mine alone.", session_id="mine")
    assert (await stack.call("DELETE", f"/v1/turns/{mine['turn_id']}", user="bob"))[0] == 404
    status, refused = await stack.call("DELETE", "/v1/users/alice/data", user="bob")
    assert (status, refused["field"]) == (404, "user")
    assert (await stack.call("GET", f"/v1/turns/{mine['turn_id']}"))[0] == 200
