"""What the bench of search makes of its measurements, and how it asks; no speed is asserted."""

import asyncio
from itertools import islice

import msgspec

from bench.index.search import Side, Times, figures_of, timed
from bench.index.stored import Said, _stored, _turns
from bench.running.figures import plain
from bench.running.sentences import questions
from services.indexer.passages.passage import runs_of

_MB = 1024 * 1024


def test_growth_is_the_late_searches_at_many_messages_against_those_at_few() -> None:
    sides = {"50k": _side(Said(25, 2_000), 0.010), "200k": _side(Said(100, 2_000), 0.011, megabytes=400)}

    figures = {f.name: f for f in figures_of(sides, [0.004], {"50k": 900 * _MB, "200k": 1200 * _MB})}

    assert figures["search.p50_50k_to_embedding"].value == 2.5
    assert figures["search.p50_50k_to_embedding"].met is False
    assert figures["search.growth_200k"].value == 1.1
    assert figures["search.growth_200k"].met is True
    assert figures["search.indexer_resident_per_100k"].value == 200.0
    assert figures["search.points_on_disk_per_100k"].value == 200.0


def test_so_many_times_as_much_meets_its_goal_from_below() -> None:
    assert plain("x", 1.2, "x", goal=1.2).met is True
    assert plain("x", 1.3, "x", goal=1.2).met is False


def test_where_no_graph_was_built_the_table_says_so() -> None:
    side = _side(Said(1, 50), 0.01)
    sides = {"50k": msgspec.structs.replace(side, optimized=False), "200k": _side(Said(4, 50), 0.01)}

    assert "no graph" in figures_of(sides, [0.004], {"50k": 1, "200k": 1})[0].ours


async def test_four_ask_at_once_and_each_question_is_asked_once() -> None:
    asking, most, asked = 0, 0, []

    async def ask(question: str) -> None:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        asked.append(question)
        await asyncio.sleep(0.001)
        asking -= 1

    new = list(islice(questions(seed=1), 50))

    assert len(await timed(ask, new)) == 50
    assert most == 4
    assert sorted(asked) == sorted(set(new))


def test_filled_turns_have_one_number_each_and_stand_in_their_sessions_without_gaps() -> None:
    turns = [turn for batch in _turns(Said(2, 2_000)) for turn in batch]

    messages = [stored for turn in turns for stored in _stored([turn])]

    assert [turn.turn_number for turn in turns] == list(range(1, 2_001))
    assert {message.user for message in messages} == {"user-0", "user-1"}
    assert len(runs_of(messages)) == len({(message.user, message.session_id) for message in messages})


def _side(said: Said, seconds: float, *, megabytes: int = 100) -> Side:
    async def ask(question: str) -> None:
        """Nobody asks."""

    return Side(
        said=said,
        optimized=True,
        ask=ask,
        times=Times(new=[seconds], again=[seconds], alone=[seconds]),
        held=lambda: 0,
        stored=megabytes * _MB,
    )
