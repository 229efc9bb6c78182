"""Sentences as people write them to an assistant, 8 to 40 words, the same for the same seed."""

import random
from collections.abc import Iterator

_WHO = """my sister Mira|our neighbour Tomas|the new dentist|Professor Okafor|my colleague Anna|the landlord|
my father|her cousin Luis|the school|our team in Osaka|the bakery on the corner|my old friend Ingrid|
the insurance company|Doctor Novak|the choir|my daughter|the plumber|our accountant|the library|
the rowing club""".replace("\n", "").split("|")
_DID = """moved to|called about|sent a letter from|found a flat in|bought an old bicycle in|
is looking for work in|recommended a small hotel in|asked for the documents from|lost a grey suitcase in|
planted apple trees near|keeps three hives of bees in|gave a talk on sleep in|repaired the boat in|
wants to open a workshop in|met the architect in|paid too much rent in""".replace("\n", "").split("|")
_WHERE = """Lisbon|Rotterdam|Kyoto|the village behind the dam|Tallinn|Montevideo|the harbour district|Graz|
Nairobi|the old town|Bergen|Valparaiso|the valley|Leeds|Gdansk|the north of Iceland""".replace(
    "\n", ""
).split("|")
_WHEN = """last spring|two weeks ago|on a rainy Tuesday|before the holidays|in early March|after the concert|
the day the trains stood still|nine years ago|shortly after her exam|this morning""".replace("\n", "").split(
    "|"
)
_WHY = """because the rent had doubled within a year|although nobody had expected it|
since the doctor advised less coffee and more walking|so that the children can go to school on foot|
and said that the invoice for 1,240 euros is still open|which reminded me of the summer with the broken stove|
but the price of the tickets has risen by a third since then|and the password of the router is on the fridge|
while the others were arguing about the colour of the kitchen|and now wants to learn the cello""".replace(
    "\n", ""
).split("|")
_ASKED = ["Is it true that", "Who said that", "What do I know of it:", "Did I say that", "Why was it that"]
_ASK = ["Remember that ", "Please note: ", "", "", "", "By the way, ", "I think that "]


def sentence(random_: random.Random) -> str:
    """One clause, or up to three of them."""
    clauses = []
    for _ in range(random_.choice((1, 1, 2, 2, 3))):
        words = [random_.choice(_WHO), random_.choice(_DID), random_.choice(_WHERE), random_.choice(_WHEN)]
        if random_.random() < 0.4:
            words.append(random_.choice(_WHY))
        clauses.append(" ".join(words))
    text = f"{random_.choice(_ASK)}{', and '.join(clauses)}".split()[:40]
    text[0] = text[0][0].upper() + text[0][1:]
    return (
        f"{' '.join(text)}, and that is {random_.randrange(10_000)}."
        if len(text) < 8
        else f"{' '.join(text)}."
    )


def sentences(seed: int) -> Iterator[str]:
    """Without end. Every one is different from all before it, so that no cache answers for the model."""
    random_ = random.Random(seed)
    seen: set[str] = set()
    while True:
        text = sentence(random_)
        if text not in seen:
            seen.add(text)
            yield text


def questions(seed: int) -> Iterator[str]:
    """Without end, and every one different: 10 to 25 words, as people ask for what was said."""
    random_ = random.Random(seed)
    seen: set[str] = set()
    while True:
        words = [random_.choice(_WHO), random_.choice(_DID), random_.choice(_WHERE), random_.choice(_WHEN)]
        text = f"{random_.choice(_ASKED)} {' '.join(words)}?"
        if text not in seen:
            seen.add(text)
            yield text
