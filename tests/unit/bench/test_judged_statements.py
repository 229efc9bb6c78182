"""The judged messages hold what docs/memories.md promises of the patterns."""

import pytest

from bench.statements.judged import PLAIN, SPLITS, Judged, by_kind, judged_messages, read, score


@pytest.mark.parametrize("split", SPLITS)
def test_the_patterns_keep_their_promise(split: str) -> None:
    reads = [read(one) for one in judged_messages(split)]

    whole = score(reads)
    plain = score([one for one in reads if one.judged.kind in PLAIN])
    assert whole.precision >= 0.99, [one for one in reads if one.wrong]
    assert plain.recall >= 0.7, by_kind(reads)


def test_the_set_has_its_size_and_no_message_twice() -> None:
    messages = [one.message for split in SPLITS for one in judged_messages(split)]

    assert len(messages) >= 800
    assert len(set(messages)) == len(messages)


def test_a_score_tells_wrong_missed_and_merely_allowed_apart() -> None:
    def judged(**what: object) -> Judged:
        return Judged(split="tune", kind="plain", message="I live in Porto and I'm vegan.", **what)  # type: ignore[arg-type]

    exact = score([read(judged(expected=[("home", "porto"), ("diet", "vegan")]))])
    lenient = score([read(judged(expected=[("home", "Porto")], allowed=[("diet", "vegan")]))])
    failed = score([read(judged(expected=[("home", "Porto"), ("name", "Ana")]))])

    assert (exact.precision, exact.recall) == (lenient.precision, lenient.recall) == (1.0, 1.0)
    assert (failed.precision, failed.recall) == (0.5, 0.5)
