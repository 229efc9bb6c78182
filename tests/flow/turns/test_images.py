"""An image over the whole stack, with an engine that does not see."""

from tests.contracts.orchestrator.images_room import image_bytes
from tests.flow.turns.http_turns import show
from tests.stack import Stack


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
