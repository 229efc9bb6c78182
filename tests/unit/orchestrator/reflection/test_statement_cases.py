"""What is known of a user who says one thing after another, each in a session of its own."""

import pytest

from services.indexer.memories.history import current, history_of
from services.indexer.memories.intake import said_of
from services.indexer.memories.slots import slot_of
from services.orchestrator.reflection.extraction import by_patterns
from tests.unit.indexer.memories.memories_room import DAY, NOON
from tests.unit.samples import saved

PORTO = ("home", "Porto")
ANA = ("name", "Ana Sousa")
CASES = [
    (["I live in Porto.", "I moved to Lisbon last year but moved back to Porto in March."], {PORTO}),
    (
        [
            "I live in Porto.",
            'My sister wrote: "Good news! I moved to Berlin. I work at Siemens now. See you soon."',
        ],
        {PORTO},
    ),
    (
        [
            "I live in Porto.",
            "What do you think of this?\n\nHi all,\nI moved to Berlin last month.\n"
            "My name is Tom Braun.\nBest, Tom",
        ],
        {PORTO},
    ),
    (
        [
            "I live in Porto.",
            "Let's say I am someone else for this question. I live in Rome. I'm vegan. What should I cook?",
        ],
        {PORTO},
    ),
    (["I live in Porto.", "Tom texted me:\n> Hey\n> I moved to Berlin\nAnd that is all."], {PORTO}),
    (["```\nI live in Rome\n```"], set()),
    (["Let's play a game. Imagine I am a Roman. I live in Rome. My name is Marcus."], set()),
    (["I live in Lisbon. Just kidding!"], set()),
    (["My brother wrote to me, I moved to Berlin last month."], set()),
    (["I live in St. Louis."], {("home", "St. Louis")}),
    (["My name is Dr. Anna Weber."], {("name", "Dr. Anna Weber")}),
    (["I work at St. Mary's Hospital."], {("employer", "St. Mary's Hospital")}),
    (["My name is Ana Sousa.", "The invoice is wrong. Please call me ASAP!"], {ANA}),
    (["Call me Monday evening."], set()),
    (["I work at Christmas.", "I was born in Spring."], set()),
    (["I'm allergic to no food.", "I'm allergic to bullshit."], set()),
    (["I love Mondays, said nobody.", "Every time I travel I live in Airbnb flats."], set()),
    (["My wife is vegetarian. I am vegetarian too."], {("diet", "vegetarian")}),
    (["I live in Lisbon.", "I moved to \u0141\u00f3d\u017a."], {("home", "\u0141\u00f3d\u017a")}),
    (["I live in Z\u00fcrich."], {("home", "Z\u00fcrich")}),
    (["I live in Lisbon."], {("home", "Lisbon")}),
    (["My name is Ana Sousa."], {ANA}),
]


@pytest.mark.parametrize(("said", "known"), CASES, ids=lambda one: str(one)[:50])
def test_what_was_said_last_and_plainly_is_known(said: list[str], known: set[tuple[str, str]]) -> None:
    assert known_after(said) == known


def known_after(said: list[str]) -> set[tuple[str, str]]:
    turns = [saved(n, text, requested_at=NOON + n * DAY) for n, text in enumerate(said)]
    statements = [
        said_of(event.memory_id, event.user, event.statement, NOON)
        for turn in turns
        for event in by_patterns(turn)
    ]
    slots = {slot_of(one) for one in statements}
    return {
        (memory.latest.attribute, memory.latest.value)
        for slot in slots
        for memory in current(
            history_of([one for one in statements if slot_of(one) == slot]), NOON + len(said) * DAY
        )
    }
