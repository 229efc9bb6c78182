"""Images over the whole stack: uploaded or inline, seen or plainly not seen, found again, forgotten."""

import asyncio
import base64
from typing import Any

import pytest

from tests.contracts.images_room import image_bytes
from tests.stack import Stack

WITH_EYES = {"INFERENCE_ENGINE": "scripted", "REFLECTOR": "off"}
SCRIPT = """
[[rule]]
role = "EYES"
answer = "A red lighthouse on a cliff."

[[rule]]
role = "VOICE"
answer = "It is a lighthouse."
"""


@pytest.fixture(scope="module")
async def seeing() -> Any:
    stack = Stack(WITH_EYES)
    script = stack.data_dir / "script.toml"
    script.write_text(SCRIPT)
    stack.environment["SCRIPT"] = str(script)
    await asyncio.to_thread(stack.start)
    yield stack
    assert await asyncio.to_thread(stack.stop) == 0, stack.terminal()
    stack.remove()


async def show(stack: Stack, text: str, image: dict[str, str], **more: str) -> dict[str, Any]:
    parts = [{"type": "input_text", "text": text}, {"type": "input_image", **image}]
    status, accepted = await stack.call("POST", "/v1/turns", {"input": parts, **more})
    assert status == 202, accepted
    async with asyncio.timeout(30):
        while True:
            _, turn = await stack.call("GET", f"/v1/turns/{accepted['id']}")
            if turn["status"] not in ("queued", "running"):
                found: dict[str, Any] = turn
                return found
            await asyncio.sleep(0.05)


async def test_without_an_engine_that_sees_the_turn_says_so_and_goes_on(stack: Stack) -> None:
    file_id = await stack.upload("lighthouse.png", image_bytes())

    turn = await show(stack, "Who keeps the lighthouse of Ostende?", {"file_id": file_id})

    assert turn["status"] == "saved"
    assert turn["output"].startswith("I could not look at lighthouse.png: extractive cannot see")
    assert len(turn["output"].split("\n\n")) > 1
    [image] = turn["images"]
    assert (image["file_id"], image["name"], image["description"]) == (file_id, "lighthouse.png", "")
    assert turn["phases"][0]["phase"] == "look"
    assert any("lighthouse.png was not seen" in note for note in turn["notes"])


async def test_what_an_image_shows_is_written_down_told_on_found_and_forgotten(seeing: Stack) -> None:
    data = image_bytes()
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    turn = await show(seeing, "What is this?", {"image_url": url}, session_id="coast")
    [image] = turn["images"]
    turn_id = turn["id"]

    assert turn["output"] == "It is a lighthouse."
    assert image["description"] == "A red lighthouse on a cliff."
    _, document = await seeing.call("GET", f"/v1/turns/{turn_id}/documents/context.md")
    assert f"### Image image_1.png ({image['file_id']})\n\n> A red lighthouse on a cliff." in document
    await seeing.until_indexed(turn_id)
    _, found = await seeing.call("POST", "/v1/search", {"query": "red lighthouse cliff", "kinds": ["turn"]})
    assert found["hits"][0]["turn_id"] == turn_id
    _, listed = await seeing.call("GET", "/v1/turns?session_id=coast")
    assert listed["turns"][0]["input"] == "What is this?"
    assert listed["turns"][0]["images"] == [image]
    status, _ = await seeing.call("GET", f"/v1/files/{image['file_id']}")
    assert status == 200

    status, _ = await seeing.call("DELETE", f"/v1/turns/{turn_id}")
    assert status in (200, 202)

    async with asyncio.timeout(30):
        while (await seeing.call("GET", f"/v1/files/{image['file_id']}"))[0] != 404:  # noqa: ASYNC110  # HTTP tells nobody
            await asyncio.sleep(0.1)
