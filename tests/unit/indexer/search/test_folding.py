"""Hits that say the same are one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.indexer.search.folding import fold
from shared.contract.requests import Hit
from tests.unit.samples import hit, imported_hit


def memory(id_: str, text: str, *messages: str, **more: Any) -> Hit:
    fields: dict[str, Any] = {"session_id": "kitchen", "speaker": "user", **more}
    return imported_hit(id_, text, kind="memory", message_ids=list(messages), **fields)


def of_turn(number: int, who: str) -> Hit:
    return hit(number, f"said {number}", f"answered {number}", message_ids=[f"t{number}:{who}"])


hits = st.lists(
    st.one_of(
        st.builds(of_turn, st.integers(1, 4), st.sampled_from(("user", "assistant"))),
        st.builds(
            lambda n, session, text: imported_hit(f"m{n}", text, session_id=session),
            st.integers(1, 4),
            st.sampled_from(("D1", "D2")),
            st.sampled_from(("bees", "Bees ", "roses", "said 1\nanswered 1")),
        ),
        st.builds(
            lambda n, text, of: memory(f"f{n}", text, *of, turn_id="t1"),
            st.integers(1, 3),
            st.sampled_from(("a fact", "bees", "another fact")),
            st.lists(st.sampled_from(("t1:user", "t2:user", "m1")), max_size=2, unique=True),
        ),
    ),
    max_size=12,
)


def test_two_messages_of_one_turn_are_one_hit_that_stands_on_both() -> None:
    answer, other, question = of_turn(7, "assistant"), of_turn(8, "user"), of_turn(7, "user")

    folded = fold([answer, other, question], 10)

    assert [one.id for one in folded] == ["t7", "t8"]
    assert folded[0].message_ids == ["t7:assistant", "t7:user"], "the best first"


def test_messages_with_the_same_words_are_one_hit() -> None:
    first = imported_hit("m1", "The bees are in Lisbon.")
    again = imported_hit("m2", " the BEES are,\nin Lisbon!")

    (only,) = fold([first, again], 10)

    assert (only.text, only.message_ids) == ("The bees are in Lisbon.", ["m1", "m2"])


def test_texts_without_words_are_the_same_only_where_they_are_alike() -> None:
    folded = fold([imported_hit("m1", "🐝"), imported_hit("m2", "🌹"), imported_hit("m3", "🐝")], 10)

    assert [one.message_ids for one in folded] == [["m1", "m3"], ["m2"]]


def test_what_was_said_the_same_way_leaves_its_place_to_the_next() -> None:
    same = [imported_hit(f"m{n}", "Bees") for n in range(5)]

    assert [one.id for one in fold([*same, imported_hit("m9", "Roses")], 2)] == ["m0", "m9"]


def test_a_fact_and_the_message_that_it_was_read_from_are_one_hit() -> None:
    fact = memory("f1", "Mira lives in Lisbon", "t7:user")

    assert [one.id for one in fold([hit(7, "My sister Mira moved to Lisbon"), fact], 10)] == ["t7"]
    assert [one.id for one in fold([fact, hit(7, "My sister Mira moved to Lisbon")], 10)] == ["f1"]


def test_a_fact_that_stands_on_more_than_is_shown_is_shown_too() -> None:
    fact = memory("f1", "Mira lives in Lisbon", "t7:user", "t3:user")

    assert [one.id for one in fold([hit(7, "My sister Mira moved to Lisbon"), fact], 10)] == ["t7", "f1"]


def test_two_facts_of_one_turn_are_two_hits() -> None:
    home = memory("f1", "Alice lives in Lisbon", "t7:user", turn_id="t7")
    work = memory("f2", "Alice works at the port", "t7:user", turn_id="t7")
    turn = hit(7, "I live in Lisbon and work at the port")

    assert [one.id for one in fold([home, work, turn], 10)] == ["f1", "f2"]
    assert [one.id for one in fold([turn, home, work], 10)] == ["t7"]


def test_a_note_that_stands_on_no_message_is_shown() -> None:
    assert [one.id for one in fold([memory("n1", "Likes bees"), memory("n2", "Likes tea")], 10)] == [
        "n1",
        "n2",
    ]


def test_messages_of_the_same_name_in_two_sessions_are_two() -> None:
    one, other = imported_hit("m1", "Bees", session_id="D1"), imported_hit("m1", "Roses", session_id="D2")

    assert fold([one, other], 10) == [one, other]


def test_a_message_joins_its_turn_also_where_there_is_no_room_for_more() -> None:
    (only,) = fold([of_turn(7, "user"), of_turn(8, "user"), of_turn(7, "assistant")], 1)

    assert only.message_ids == ["t7:user", "t7:assistant"]


@given(hits, st.integers(0, 12))
def test_there_are_never_more_than_the_limit(found: list[Hit], limit: int) -> None:
    assert len(fold(found, limit)) <= limit


@given(hits, st.integers(0, 12))
def test_no_hit_names_a_message_twice_and_no_two_are_of_one_turn_or_say_the_same(
    found: list[Hit], limit: int
) -> None:
    folded = fold(found, limit)

    assert all(len(set(one.message_ids)) == len(one.message_ids) for one in folded)
    turns = [one.turn_id for one in folded if one.kind == "turn" and one.turn_id is not None]
    assert len(set(turns)) == len(turns)
    assert len({" ".join(one.text.casefold().split()) for one in folded}) == len(folded)


@given(hits, st.integers(0, 12))
def test_hits_keep_their_order_and_all_but_their_messages(found: list[Hit], limit: int) -> None:
    folded = [_named(one) for one in fold(found, limit)]

    following = iter([_named(one) for one in found])
    assert all(any(one == kept for one in following) for kept in folded), "a part of them, in their order"
    assert folded[:1] == [_named(one) for one in found][: min(limit, 1)], "the best is always shown"


def _named(hit: Hit) -> tuple[str, str, str]:
    return hit.kind, hit.id, hit.text


@given(hits)
def test_with_room_for_all_every_message_that_was_found_is_shown(found: list[Hit]) -> None:
    folded = fold(found, len(found))

    assert {name for one in found for name in one.message_ids} == {
        name for one in folded for name in one.message_ids
    }


@given(hits, st.integers(0, 12))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(found: list[Hit], limit: int) -> None:
    """But for messages that join a hit."""
    whole = [(one.kind, one.id) for one in fold(found, 12)]

    assert [(one.kind, one.id) for one in fold(found, limit)] == whole[:limit]


def test_where_something_holds_no_more_the_fact_that_took_its_place_stays() -> None:
    fact = memory("f1", "I live in Porto", "t8:user")
    past, moved = hit(7, "I live in Lisbon", outdated=["I live in Lisbon"]), hit(8, "I moved to Porto")

    assert [one.id for one in fold([past, moved, fact], 10)] == ["t7", "t8", "f1"]
