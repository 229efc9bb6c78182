"""The tools that look into memory and write to it."""

from typing import Any

from shared.contract.requests import Hit
from tests.unit.orchestrator.tools.tool_room import NOW, ToolRoom


def hit(**fields: Any) -> Hit:
    known: dict[str, Any] = {
        "kind": "turn",
        "id": "t3",
        "score": 0.7,
        "text": "",
        "session_id": "s0",
        "at": NOW,
    }
    return Hit(**{**known, **fields})


async def test_turns_are_found_as_numbered_lines_with_their_marks(tools: ToolRoom) -> None:
    tools.hits = [
        hit(
            turn_id="t3",
            turn_number=3,
            input="My sister\nkeeps bees.",
            output="Noted.",
            message_ids=["t3:user"],
            highlights=["keeps bees."],
        ),
        hit(id="D1:1", text="His name is Biscuit.", speaker="Caroline"),
        hit(
            id="t4",
            turn_id="t4",
            turn_number=4,
            input="I live in Rome.",
            output="x",
            quoted=True,
            outdated=["Rome"],
        ),
    ]

    result = await tools.run("turns.search", query="bees", limit=3)

    assert result.text.splitlines() == [
        "1. [turn 3] 2026-11-21: My sister keeps bees. Answer: Noted. (turn_id t3)",
        "2. [Caroline, 21 November 2026] 2026-11-21: His name is Biscuit.",
        "3. [turn 4] 2026-11-21: I live in Rome. (no longer so: Rome) (turn_id t4)",
    ]
    assert [source.name for source in result.sources] == ["turn 3", "Caroline, 21 November 2026", "turn 4"]
    assert result.sources[0].message_ids == ["t3:user"]
    assert result.sources[0].quote == "keeps bees."
    assert tools.asked == [("mira", "bees", "turn", 3)]


async def test_the_turn_that_asks_is_not_found(tools: ToolRoom) -> None:
    tools.hits = [hit(id="t9", turn_id="t9", turn_number=9, input="What did I say of bees?")]

    result = await tools.run("turns.search", query="bees")

    assert result.text == "Nothing like that was said in earlier turns."
    assert result.sources == []


async def test_memories_are_found_by_their_kind(tools: ToolRoom) -> None:
    tools.hits = [hit(kind="memory", id="m1", text="I live in Porto.", turn_id="t3")]

    result = await tools.run("memory.search", query="home")

    assert result.text == "1. [memory, 21 November 2026] 2026-11-21: I live in Porto."
    assert tools.asked == [("mira", "home", "memory", 5)]


async def test_an_index_that_is_away_is_an_error_and_no_end(tools: ToolRoom) -> None:
    tools.away = True

    result = await tools.run("memory.search", query="home")

    assert result.is_error
    assert "memory.search cannot answer now: nobody answers index.search now. Go on" in result.text


async def test_what_is_saved_says_who_said_it_and_is_the_same_when_said_again(tools: ToolRoom) -> None:
    result = await tools.run(
        "memory.save", text="I live in Porto.", kind="fact", attribute="home", value="Porto"
    )
    await tools.run("memory.save", text="I live in Porto.", kind="fact", attribute="home", value="Porto")
    await tools.run("memory.save", text="I keep bees.")

    (user, statement, first), (_, _, again), (_, _, other) = tools.saved
    assert result.text == "Saved as a fact: I live in Porto."
    assert user == "mira"
    assert (statement.made_by, statement.turn_id, statement.said_at) == ("tool", "t9", NOW)
    assert (statement.attribute, statement.value) == ("home", "Porto")
    assert first == again != other


async def test_there_is_no_catalogue_yet(tools: ToolRoom) -> None:
    result = await tools.run("content.search", query="jazz")

    assert result.text.startswith("There is no catalogue yet.")
    assert not result.is_error
