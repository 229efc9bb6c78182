"""Who is dead: counted in the heartbeats of one's own that came back."""

from services.orchestrator.queue.peers import BEATS_UNTIL_DEAD, Peers


def beat(peers: Peers, times: int, *others: str) -> None:
    for _ in range(times):
        for name in (peers.own, *others):
            peers.hear(name)


def test_a_process_that_is_silent_for_five_beats_is_dead() -> None:
    peers = Peers("me")
    beat(peers, 3, "other")

    beat(peers, BEATS_UNTIL_DEAD - 1)
    assert peers.dead_among({"other", "me"}) == set()
    beat(peers, 1)

    assert peers.dead_among({"other", "me"}) == {"other"}
    assert peers.alive == {"me"}


def test_a_process_that_was_never_heard_has_five_beats_from_the_first_question_on() -> None:
    peers = Peers("me")
    beat(peers, 100)

    assert peers.dead_among({"other"}) == set()
    beat(peers, BEATS_UNTIL_DEAD)

    assert peers.dead_among({"other"}) == {"other"}


def test_while_no_own_beat_comes_back_no_process_grows_older() -> None:
    """The bus is away, or this process was paused."""
    peers = Peers("me")
    beat(peers, 1, "other")

    for _ in range(100):
        assert peers.dead_among({"other"}) == set()


def test_a_process_that_is_heard_again_is_alive() -> None:
    peers = Peers("me")
    beat(peers, 1, "other")
    beat(peers, 10)

    peers.hear("other")

    assert peers.dead_among({"other"}) == set()


def test_one_of_those_that_are_alive_is_the_first() -> None:
    first, second = Peers("a"), Peers("b")
    beat(first, 1, "b")
    beat(second, 1, "a")

    assert (first.is_first, second.is_first) == (True, False)
    beat(second, BEATS_UNTIL_DEAD)
    assert second.is_first
