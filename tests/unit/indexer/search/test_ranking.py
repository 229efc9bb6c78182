"""One order out of what four searches found and of what is known besides."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.indexer.passages.index import Candidate
from services.indexer.passages.message import Role
from services.indexer.search.questions import Asked
from services.indexer.search.ranking import SIGNALS, WEIGHTS, Ranked, rank, weights_for

NOW = datetime(2025, 8, 14, 10, tzinfo=UTC)
LISTS = ("meaning", "meaning_near", "words", "words_near")
ANYTHING = Asked(text="?", text_for_meaning="?", text_for_words="?")


def said(
    key: str,
    *,
    meaning: float | None = None,
    near: float | None = None,
    words: float | None = None,
    words_near: float | None = None,
    session: str = "",
    speaker: str = "Mira",
    role: Role = "other",
    at: datetime = NOW - timedelta(days=90),
    asks: bool = False,
    length: int = 12,
    uses: int = 0,
    tells_time: bool = False,
    reliability: float = 0.5,
) -> Candidate:
    return Candidate(
        key=key,
        kind="turn",
        session_id=session,
        ordinal=0,
        speaker=speaker,
        role=role,
        at=at,
        asks=asks,
        length=length,
        uses=uses,
        meaning=meaning,
        meaning_near=near,
        words=words,
        words_near=words_near,
        tells_time=tells_time,
        reliability=reliability,
    )


def about(**understood: object) -> Asked:
    return msgspec.structs.replace(ANYTHING, **understood)


def order(asked: Asked, *candidates: Candidate) -> list[str]:
    return [one.key for one in rank(asked, candidates, now=NOW)]


cosines = st.none() | st.integers(-64, 64).map(lambda n: n / 64)
bm25s = st.none() | st.integers(0, 640).map(lambda n: n / 64)


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Candidate]:
    return [
        said(
            f"m{number:02}",
            meaning=draw(cosines),
            near=draw(cosines),
            words=draw(bm25s),
            words_near=draw(bm25s),
            session=draw(st.sampled_from(["", "s1", "s2", "s3"])),
            speaker=draw(st.sampled_from(["Mira", "Tomas"])),
            role=draw(st.sampled_from(["user", "assistant", "other"])),
            at=NOW - timedelta(days=draw(st.integers(-5, 400))),
            asks=draw(st.booleans()),
            length=draw(st.integers(0, 30)),
            uses=draw(st.integers(0, 20)),
            tells_time=draw(st.booleans()),
            reliability=draw(st.sampled_from([0.1, 0.5, 0.9])),
        )
        for number in range(draw(st.integers(0, 9)))
    ]


questions = st.builds(
    about,
    speakers=st.sampled_from([frozenset(), frozenset({"mira"}), frozenset({"Mira", "Tomas"})]),
    about_me=st.booleans(),
    about_assistant=st.booleans(),
    periods=st.sampled_from([(), ((NOW - timedelta(days=60), NOW - timedelta(days=30)),)]),
    wants_time=st.booleans(),
    wants_newest=st.booleans(),
)


def test_nothing_found_ranks_nothing() -> None:
    assert rank(ANYTHING, [], now=NOW) == []


def test_what_all_searches_found_goes_before_what_one_found() -> None:
    everywhere = said("everywhere", meaning=0.5, near=0.5, words=5.0, words_near=5.0)
    by_meaning = said("meaning", meaning=0.6)
    by_words = said("words", words=6.0)
    nowhere_much = said("weak", meaning=0.1, near=0.1, words=0.5, words_near=0.5)

    assert order(ANYTHING, nowhere_much, by_meaning, by_words, everywhere)[0] == "everywhere"


def test_an_answer_is_found_by_the_question_before_it() -> None:
    answer = said("answer", near=0.7, words_near=6.0)
    other = said("other", near=0.2, words_near=1.0)

    assert order(ANYTHING, other, answer) == ["answer", "other"]


def test_a_session_that_is_about_it_lifts_its_messages() -> None:
    lifted = said("z", meaning=0.4, near=0.4, session="about")
    alone = said("a", meaning=0.4, near=0.4, session="elsewhere")
    mates = [said(f"mate{i}", near=0.6, session="about") for i in range(3)]

    ranked = order(ANYTHING, lifted, alone, *mates)

    assert ranked.index("z") < ranked.index("a")


def test_documents_of_no_session_lift_nobody() -> None:
    ranked = rank(ANYTHING, [said("a", near=0.6), said("b", near=0.4)], now=NOW)

    assert {one.explain["session"].value for one in ranked} == {0.0}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (about(speakers=frozenset({"mira"})), {"speaker": "Mira"}),
        (about(about_me=True), {"role": "user"}),
        (about(about_assistant=True), {"role": "assistant"}),
        (about(wants_time=True), {"tells_time": True}),
        (about(wants_newest=True), {"at": NOW - timedelta(days=1)}),
        (about(periods=((NOW - timedelta(days=40), NOW - timedelta(days=9)),)), {"at": NOW - timedelta(10)}),
        (ANYTHING, {"asks": False}),
        (ANYTHING, {"length": 20}),
        (ANYTHING, {"uses": 5}),
        (ANYTHING, {"reliability": 0.6}),
    ],
)
def test_of_two_that_were_found_alike_the_one_that_fits_the_question_is_first(
    asked: Asked, wanted: dict[str, object]
) -> None:
    plain = said("a", meaning=0.5, words=3.0, speaker="Tomas", asks="asks" in wanted, length=8)
    fitting = msgspec.structs.replace(plain, key="b", **wanted)

    assert order(asked, plain, fitting) == ["b", "a"]
    assert order(asked, plain, msgspec.structs.replace(plain, key="b")) == ["a", "b"]


def test_shortly_after_the_time_that_is_asked_for_counts_in_part() -> None:
    begin, end = NOW - timedelta(days=40), NOW - timedelta(days=10)
    asked = about(periods=((begin, end),))
    times = {"within": begin, "soon": end + timedelta(days=5), "late": end + timedelta(days=9), "never": NOW}
    ranked = rank(asked, [said(key, meaning=0.5, at=at) for key, at in times.items()], now=NOW)

    assert [one.key for one in ranked] == ["within", "soon", "late", "never"]
    assert [round(one.explain["period"].value, 3) for one in ranked] == [1.0, 0.667, 0.4, 0.333]


def test_a_message_from_the_future_is_as_new_as_now() -> None:
    asked = about(wants_newest=True)
    old, new, ahead = (said(key, at=NOW + timedelta(days=d)) for key, d in (("o", -9), ("n", 0), ("a", 9)))
    of_keys = {one.key: one.explain["newest"].value for one in rank(asked, [old, new, ahead], now=NOW)}

    assert of_keys == {"o": 0.0, "n": 1.0, "a": 1.0}


def test_one_message_alone_is_the_best_that_there_is() -> None:
    (only,) = rank(ANYTHING, [said("only", meaning=0.4, words=2.0)], now=NOW)

    assert (only.explain["meaning"].value, only.explain["words"].value) == (1.0, 1.0)
    assert only.explain["meaning_near"].value == 0.0


def test_a_weight_of_nothing_switches_a_signal_off() -> None:
    weights = msgspec.structs.replace(WEIGHTS, meaning=0.0)
    near, far = said("a", meaning=0.1), said("b", meaning=0.9)

    assert [one.key for one in rank(ANYTHING, [near, far], now=NOW, weights=weights)] == ["a", "b"]


def test_the_weights_add_up_to_one() -> None:
    assert sum(getattr(WEIGHTS, name) for name in SIGNALS) == pytest.approx(1.0)


@given(questions, candidate_lists())
def test_a_score_is_the_sum_of_what_explains_it(asked: Asked, candidates: list[Candidate]) -> None:
    for one in rank(asked, candidates, now=NOW):
        assert list(one.explain) == list(SIGNALS)
        assert all(0.0 <= signal.value <= 1.0 for signal in one.explain.values())
        assert one.score == pytest.approx(sum(s.value * s.weight for s in one.explain.values()))
        assert 0.0 <= one.score <= 1.0 + 1e-9


@given(questions, candidate_lists())
def test_everything_is_ranked_once_and_scores_fall(asked: Asked, candidates: list[Candidate]) -> None:
    ranked = rank(asked, candidates, now=NOW)

    assert sorted(one.key for one in ranked) == [candidate.key for candidate in candidates]
    assert ranked == sorted(ranked, key=lambda one: (-one.score, one.key))


@given(questions, candidate_lists(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(
    asked: Asked, candidates: list[Candidate], chance: object
) -> None:
    shuffled = list(candidates)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random

    assert rank(asked, shuffled, now=NOW) == rank(asked, candidates, now=NOW)


@given(questions, candidate_lists().filter(bool), st.sampled_from(LISTS), st.data())
def test_a_higher_score_in_any_search_never_ranks_a_message_lower(
    asked: Asked, candidates: list[Candidate], name: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(candidates) - 1))
    one = candidates[place]
    # Whatever is not among a search's best has a score below them.
    among = [score for candidate in candidates if (score := getattr(candidate, name)) is not None]
    before = getattr(one, name)
    least = before if before is not None else min(among, default=0.0)
    higher = least + data.draw(st.integers(0, 640)) / 64
    raised = list(candidates)
    raised[place] = msgspec.structs.replace(one, **{name: higher})

    assert _place(rank(asked, raised, now=NOW), one) <= _place(rank(asked, candidates, now=NOW), one)


def _place(ranked: list[Ranked], one: Candidate) -> int:
    return [r.key for r in ranked].index(one.key)


def test_what_has_no_source_stands_between_reliable_and_unreliable_ones() -> None:
    """And the difference is small: what a page says decides."""
    known = {"good": 0.9, "none": 0.5, "bad": 0.1}
    ranked = rank(ANYTHING, [said(key, meaning=0.5, reliability=r) for key, r in known.items()], now=NOW)
    better = rank(
        ANYTHING,
        [said("good", meaning=0.4, reliability=0.9), said("bad", meaning=0.5, reliability=0.1)],
        now=NOW,
    )

    assert [one.key for one in ranked] == ["good", "none", "bad"]
    assert ranked[0].score - ranked[2].score == pytest.approx(0.8 * WEIGHTS.reliability)
    assert [one.key for one in better] == ["bad", "good"]


@pytest.mark.parametrize("familiarity", [0.0, 0.4, 1.0])
def test_what_the_model_does_not_know_is_ranked_by_words(familiarity: float) -> None:
    weights = weights_for(familiarity)

    assert weights.meaning == pytest.approx(WEIGHTS.meaning * familiarity)
    assert sum(getattr(weights, name) for name in SIGNALS) == pytest.approx(1.0)
    assert (weights == WEIGHTS) == (familiarity == 1.0)
