"""The tools that Pandora brings along: all of them, the clock, and the files of turns."""

import msgspec
import pytest

from shared.contract.events import SeenImage
from shared.contract.requests import TurnRow
from tests.unit.orchestrator.tools.tool_room import NOW, ToolRoom


def test_all_of_them_are_there_and_say_what_they_may(tools: ToolRoom) -> None:
    permissions = {name: tool.permission for name in tools.box.names if (tool := tools.box.get(name))}

    assert permissions == {
        "clock.now": "read",
        "calculator": "read",
        "memory.search": "read",
        "memory.save": "write",
        "turns.search": "read",
        "content.search": "read",
        "files.list": "read",
        "files.read": "read",
        "research.fetch": "network",
    }


@pytest.mark.parametrize("name", ToolRoom().box.names)
def test_the_description_of_each_argument_is_in_its_schema(name: str, tools: ToolRoom) -> None:
    tool = tools.box.get(name)
    assert tool is not None

    assert tool.schema["additionalProperties"] is False
    assert all(part.get("description") for part in tool.schema["properties"].values())


# --- clock.now ---


async def test_the_clock_knows_time_zones(tools: ToolRoom) -> None:
    utc = await tools.run("clock.now")
    tokyo = await tools.run("clock.now", time_zone="Asia/Tokyo")

    assert utc.text.startswith(
        "Saturday, 21 November 2026, 18:30:00 in UTC\n2026-11-21T18:30:00+00:00, week 47"
    )
    assert tokyo.text.startswith(
        "Sunday, 22 November 2026, 03:30:00 in Asia/Tokyo\n2026-11-22T03:30:00+09:00"
    )


@pytest.mark.parametrize("zone", ["Europe/Lisabon", "lisbon", "europe/lisbon", "Lisbon "])
async def test_a_wrong_time_zone_is_answered_with_the_right_one(zone: str, tools: ToolRoom) -> None:
    result = await tools.run("clock.now", time_zone=zone)

    assert result.is_error
    assert "time_zone: there is no time zone" in result.text
    assert "did you mean Europe/Lisbon" in result.text


@pytest.mark.parametrize("zone", ["", "/etc/passwd", "../../etc/passwd", "Europe", "\0", "x" * 64, "Europe/"])
async def test_a_time_zone_is_no_path(zone: str, tools: ToolRoom) -> None:
    result = await tools.run("clock.now", time_zone=zone)

    assert result.is_error
    assert "there is no time zone" in result.text


# --- files ---


def row(number: int) -> TurnRow:
    return TurnRow(
        turn_id=f"t{number}",
        turn_number=number,
        session_id="s1",
        at=NOW,
        topic="",
        intent="",
        keywords=[],
        quality=0.0,
        model="",
        recipe="",
        input="",
        output="",
        quoted=False,
    )


async def test_the_documents_of_the_session_are_listed(tools: ToolRoom) -> None:
    tools.turns = [row(3), row(4), row(5)]
    files = {"response.md": "Hello.", "context.md": "# Turn"}
    for turn in ("t3", "t5"):  # The fourth was forgotten.
        tools.documents[("mira", turn)] = files

    result = await tools.run("files.list", turns=3)

    assert result.text.splitlines() == [
        "turn 3 (turn_id t3): context.md, response.md",
        "turn 5 (turn_id t5): context.md, response.md",
    ]


async def test_what_images_of_the_session_show_is_listed(tools: ToolRoom) -> None:
    seen = SeenImage(file_id="f1", name="bee.png", description="A bee\non lavender.")
    unseen = SeenImage(file_id="f2", name="hive.png", problem="no model here can see")
    long = SeenImage(file_id="f3", name="map.png", description="A street. " * 100)
    tools.turns = [msgspec.structs.replace(row(3), images=[seen, unseen]), row(4)]
    tools.turns += [msgspec.structs.replace(row(5), images=[long])]
    for turn in ("t3", "t4"):  # The fifth was forgotten, with its images.
        tools.documents[("mira", turn)] = {"response.md": "Hello."}

    result = await tools.run("files.list")

    assert result.text.splitlines() == [
        "turn 3 (turn_id t3): response.md",
        "[Image bee.png: A bee on lavender.]",
        "[Image hive.png: not seen, no model here can see]",
        "turn 4 (turn_id t4): response.md",
    ]

    tools.documents[("mira", "t5")] = {"response.md": "Hello."}
    shown = (await tools.run("files.list")).text.splitlines()[-1]
    assert shown.startswith("[Image map.png: A street.")
    assert shown.endswith("…")


async def test_a_long_document_is_read_page_by_page(tools: ToolRoom) -> None:
    tools.documents[("mira", "t3")] = {"context.md": "a" * 12_000 + "b" * 10}

    first = await tools.run("files.read", turn_id="t3", name="context.md")
    second = await tools.run("files.read", turn_id="t3", name="context.md", start=12_000)
    behind = await tools.run("files.read", turn_id="t3", name="context.md", start=99_000)

    assert first.text == "a" * 12_000 + "\n[it goes on: start=12000, of 12010 characters]"
    assert first.is_cut
    assert second.text == "b" * 10
    assert not second.is_cut
    assert second.sources[0].turn_id == "t3"
    assert behind.text == "context.md has 12010 characters, none behind that."


@pytest.mark.parametrize("turn_id", ["t3", "t4"])
async def test_a_turn_of_somebody_else_is_not_there(turn_id: str, tools: ToolRoom) -> None:
    tools.documents[("tomas", "t3")] = {"response.md": "secret"}

    result = await tools.run("files.read", turn_id=turn_id, name="response.md")

    assert result.is_error
    assert result.text == f"files.read refused: there is no ended turn {turn_id}"


@pytest.mark.parametrize("turn_id", ["../t3", "", "a/b", "*", "t3\n"])
async def test_a_turn_id_is_no_path(turn_id: str, tools: ToolRoom) -> None:
    result = await tools.run("files.read", turn_id=turn_id, name="response.md")

    assert result.is_error
    assert "turn_id" in result.text
