"""Images over the whole stack, with an engine that sees: described, written down, found again, forgotten."""

import asyncio
import base64

from tests.contracts.orchestrator.images_room import image_bytes
from tests.flow.turns.http_turns import show
from tests.stack import Stack


async def test_what_an_image_shows_is_written_down_told_on_found_and_forgotten(scripted: Stack) -> None:
    data = image_bytes()
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    turn = await show(scripted, "What is this?", {"image_url": url}, session_id="coast")
    [image] = turn["images"]
    turn_id = turn["id"]

    assert turn["output"] == "It is a lighthouse."
    assert image["description"] == "A red lighthouse on a cliff."
    _, document = await scripted.call("GET", f"/v1/turns/{turn_id}/documents/context.md")
    assert f"### Image image_1.png ({image['file_id']})\n\n> A red lighthouse on a cliff." in document
    await scripted.until_indexed(turn_id)
    _, found = await scripted.call("POST", "/v1/search", {"query": "red lighthouse cliff", "kinds": ["turn"]})
    assert found["hits"][0]["turn_id"] == turn_id
    _, listed = await scripted.call("GET", "/v1/turns?session_id=coast")
    assert listed["turns"][0]["input"] == "What is this?"
    assert listed["turns"][0]["images"] == [image]
    status, _ = await scripted.call("GET", f"/v1/files/{image['file_id']}")
    assert status == 200

    status, _ = await scripted.call("DELETE", f"/v1/turns/{turn_id}")
    assert status in (200, 202)

    async with asyncio.timeout(30):
        while (await scripted.call("GET", f"/v1/files/{image['file_id']}"))[0] != 404:  # noqa: ASYNC110  # HTTP sends no event
            await asyncio.sleep(0.1)
