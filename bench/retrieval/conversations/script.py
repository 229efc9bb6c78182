"""What one user's conversations tell, in blocks that are not yet in sessions, and what is asked about it."""

import re
from collections.abc import Sequence
from random import Random

import msgspec

from bench.retrieval.conversations.templates import Advice, Hop, Oblique, Templates, Topic, fill, grammar

ASSISTANT = "Pandora"
SLOTS = 8
"""Stretches of time; in each, the user talks once with everybody."""
FRIENDS = 2
"""A cast of so many has no assistant: two friends, who stay with a topic while they talk."""
FRIENDS_SLOTS = 16
OF_KINDS = ("who", "where", "when", "name", "number", "what")
QUESTIONS = {"changed": 2, "neighbour": 2, "paraphrase": 2, "two_messages": 2, "assistant": 1}
"""How many of a user's questions are of a type; of each kind of `OF_KINDS`, one."""
FRIENDS_QUESTIONS = {"changed": 2, "neighbour": 2, "paraphrase": 2, "two_messages": 2, "dated": 1}
MONTH = "{month}"
"""In a question: when its evidence was said, known once the sessions have their dates."""
_NOW = re.compile(r" (now|at present)\b")
_THEMES = 10
_FRIENDS_THEMES = 14
_SAME_SESSION = 0.7
_CHATS = 14
_ERRANDS = 6
_TOLD_UNASKED = 0.8
_CUED = 0.6
_EMPTY = 3
_MORE_SAID = 0.65
_ANSWERED = 0.35
_EVADED = 0.8


class Line(msgspec.Struct, frozen=True):
    speaker: str
    text: str
    key: str = ""
    """What the evidence of a question names it by; empty for all other lines."""


class Block(msgspec.Struct, frozen=True):
    """Lines that stay together, said in one slot to one partner of the user."""

    slot: int
    partner: str
    lines: list[Line]


class Question(msgspec.Struct, frozen=True):
    type: str
    text: str
    grades: dict[str, int]
    """Key of a line -> grade."""


class Scriptwriter:
    """One user (the first of the cast) with two others and the assistant, or with one friend alone.

    Of two friends a third person asks, who names whom he means; and what is said of a topic is mostly said in
    one session.
    """

    def __init__(self, templates: Templates, random_: Random, cast: Sequence[str]) -> None:
        self._templates = templates
        self._random = random_
        self._cast = cast
        self._friends = len(cast) == FRIENDS
        self._slots = FRIENDS_SLOTS if self._friends else SLOTS
        self._questions = FRIENDS_QUESTIONS if self._friends else QUESTIONS
        self._strangers = [name for name in templates.pools["first"] if name not in cast]
        self._homes: dict[str, int] = {}
        """Of two friends' topics: the slot in which they mostly speak of it."""
        self._home: int | None = None
        self.blocks: list[Block] = []
        self.questions: list[Question] = []

    def write(self) -> None:
        """Fills `blocks` and `questions`."""
        themes = self._themes()
        if self._friends:
            self._homes = {topic.key: self._random.randrange(self._slots) for topic in themes}
        self._tell_facts(themes)
        for topic in themes:
            self._talk_around(topic)
        self._home = None
        asked = self._questions["two_messages"]
        for number, hop in enumerate(self._random.sample(self._templates.hops, asked + 2)):
            self._tell_hop(hop, asked=number < asked)
        if not self._friends:
            for number, advice in enumerate(self._random.sample(self._templates.advice, 4)):
                self._tell_advice(advice, asked=number < QUESTIONS["assistant"])
        self._chat()

    def _tell_facts(self, themes: Sequence[Topic]) -> None:
        """Everybody tells something of most themes; some of it is asked for, each in its way."""
        facts = [(topic, person) for topic in themes for person in self._cast]
        self._random.shuffle(facts)
        values = {topic.key: self._values(topic.pool) for topic in themes}
        told_otherwise = ("changed", "dated", "paraphrase", "neighbour")
        for type_ in (*OF_KINDS, *(t for t in told_otherwise for _ in range(self._questions.get(t, 0)))):
            topic, person = next(fact for fact in facts if _fits(type_, fact[0]))
            facts.remove((topic, person))
            self._tell(topic, person, values[topic.key], type_)
        for topic, person in facts:
            if self._random.random() < _TOLD_UNASKED:
                self._tell(topic, person, values[topic.key], None)

    def _themes(self) -> list[Topic]:
        """Of every kind one at least."""
        topics = self._random.sample(self._templates.topics, len(self._templates.topics))
        of_kinds = [next(topic for topic in topics if topic.kind == kind) for kind in OF_KINDS]
        return [*of_kinds, *(topic for topic in topics if topic not in of_kinds)][
            : _FRIENDS_THEMES if self._friends else _THEMES
        ]

    def _tell(self, topic: Topic, person: str, values: list[str], type_: str | None) -> None:
        """`type_`: of the question about it; None: nobody asks."""
        style = type_ or self._random.choice(("says", "says", "neighbour", "paraphrase"))
        asks, key, old = topic.questions, f"{topic.key}.{person}", f"{topic.key}.{person}.old"
        partner, value = self._partner_of(person), values.pop()
        self._home = self._homes.get(topic.key)
        aside, cue = self._cue(style)
        match style:
            case "neighbour":
                answer = self._filled(topic.short, v=value)
                self._add(partner, [self._asked(topic, person, partner), (person, answer, key)])
            case "paraphrase" if topic.oblique is not None:
                asks = topic.oblique.asks
                self._say(person, partner, self._filled(topic.oblique.says, v=value), key)
            case "changed" | "dated":
                asks = [question for question in asks if " did " not in question]  # Of the present.
                self._say(person, partner, self._in_full(topic.says, v=values.pop()), old, half=0)
                told = self._in_full(topic.changed, aside, v=value)
                self._say(person, self._partner_of(person), told, key, half=1)
            case _:
                self._say(person, partner, self._in_full(topic.says, aside, v=value), key)
        match type_:
            case None:
                pass
            case "dated":  # Of what was so at the time.
                asks = [
                    f"In {MONTH}, {_NOW.sub('', question[0].lower() + question[1:])}" for question in asks
                ]
                self._ask(type_, asks, person, {old: 2, key: 0}, month=MONTH)
            case "changed":
                self._ask(type_, asks, person, {key: 2, old: 0}, cue)
            case _:
                self._ask(type_, asks, person, {key: 2}, cue)

    def _cue(self, style: str) -> tuple[str, str]:
        """Mostly, a remark to go with what is told in full, and the memory of it to go with the question."""
        if style in ("neighbour", "paraphrase") or self._random.random() > _CUED:
            return "", ""
        friend = self._random.choice(self._templates.pools["friend"])
        pair = self._random.choice(self._templates.talk.cues)
        aside, cue = (f" {self._filled([text], friend=friend)}" for text in pair)
        return aside, cue

    def _tell_hop(self, hop: Hop, *, asked: bool) -> None:
        person = self._random.choice(self._cast)
        link = self._strangers.pop(self._random.randrange(len(self._strangers)))
        first, second = f"{hop.key}.{person}.first", f"{hop.key}.{person}.second"
        value = self._random.choice(self._templates.pools[hop.pool])
        half = self._random.randrange(2)
        self._say(person, self._partner_of(person), self._in_full(hop.first, a=link), first, half=half)
        told = self._in_full(hop.second, a=link, v=value)
        self._say(person, self._partner_of(person), told, second, half=1 - half)
        for miss in hop.misses:
            self._say(person, self._partner_of(person), self._filled([miss], a=link))
        if asked:
            self._ask("two_messages", hop.questions, person, {first: 2, second: 2})

    def _tell_advice(self, advice: Advice, *, asked: bool) -> None:
        user, key = self._cast[0], f"advice.{advice.pool}"
        value = self._random.choice(self._templates.pools[advice.pool])
        answer = self._filled(advice.answers, v=value)
        self._add(ASSISTANT, [(user, self._filled(advice.ask), ""), (ASSISTANT, answer, key)])
        for ask, reply in advice.misses:
            self._add(ASSISTANT, [(user, ask, ""), (ASSISTANT, reply, "")])
        if asked:
            self._ask("assistant", advice.questions, user, {key: 2})

    def _chat(self) -> None:
        for exchange in self._random.sample(self._templates.talk.exchanges, _CHATS):
            partner = self._random.choice(self._cast[1:])
            pair = self._random.sample([self._cast[0], partner], 2)
            lines = [
                (pair[i % 2], self._filled([text], to=pair[1 - i % 2])) for i, text in enumerate(exchange)
            ]
            self._add(partner, [(speaker, text, "") for speaker, text in lines])
        for ask, reply in self._random.sample(self._templates.talk.errands, 0 if self._friends else _ERRANDS):
            friend = self._random.choice(self._templates.pools["friend"])
            pair_of = [self._filled([text], friend=friend) for text in (ask, reply)]
            self._add(ASSISTANT, [(self._cast[0], pair_of[0], ""), (ASSISTANT, pair_of[1], "")])

    def _talk_around(self, topic: Topic) -> None:
        """Near misses: of everybody, about the same thing, and never an answer."""
        talk = self._templates.talk
        self._home = self._homes.get(topic.key)
        for miss in topic.misses:
            person = self._random.choice(self._cast)
            self._say(person, self._partner_of(person), self._filled([miss]))
        for person in self._cast:
            for empty in self._random.sample(talk.empty, _EMPTY):
                partner = self._partner_of(person)
                told = self._filled([empty], noun=topic.noun, to=self._other(person, partner))
                self._say(person, partner, told)
            if self._random.random() < _EVADED:
                partner = self._partner_of(person)
                answer = self._filled(talk.evasions, to=self._other(person, partner))
                self._add(partner, [self._asked(topic, person, partner), (person, answer, "")])

    def _asked(self, topic: Topic, person: str, partner: str) -> tuple[str, str, str]:
        """The line by which the other asks this person."""
        opener, ask = self._filled(self._templates.talk.openers, to=person), self._filled(topic.ask)
        return self._other(person, partner), f"{opener}{ask[0].lower()}{ask[1:]}", ""

    def _in_full(self, templates: Sequence[str], aside: str = "", **given: str) -> str:
        """Mostly, something else stands in the same message."""
        told = self._filled(templates, **given) + aside
        if self._random.random() > _MORE_SAID:
            return told
        noun = self._random.choice(self._templates.topics).noun
        more = self._filled(self._templates.talk.tails, noun=noun)
        return f"{told} {more}" if self._random.random() < 0.7 else f"{more} {told}"

    def _say(self, person: str, partner: str, text: str, key: str = "", *, half: int | None = None) -> None:
        """And mostly the other says something to it."""
        lines = [(person, text, key)]
        if self._random.random() < _ANSWERED:
            other, talk = self._other(person, partner), self._templates.talk
            replies = talk.acknowledged if other == ASSISTANT else talk.reactions
            lines.append((other, self._filled(replies, to=person), ""))
        self._add(partner, lines, half=half)

    def _add(self, partner: str, lines: list[tuple[str, str, str]], *, half: int | None = None) -> None:
        """`half` of all time; None: at any time."""
        slots = range(self._slots)
        if half is not None:
            slots = slots[half * self._slots // 2 : (half + 1) * self._slots // 2]
        slot = self._random.choice(slots)
        if self._home is not None and self._home in slots and self._random.random() < _SAME_SESSION:
            slot = self._home
        self.blocks.append(Block(slot, partner, [Line(*line) for line in lines]))

    def _ask(
        self,
        type_: str,
        asks: Sequence[str],
        person: str,
        grades: dict[str, int],
        cue: str = "",
        **given: str,
    ) -> None:
        about_oneself = not self._friends and person == self._cast[0] and self._random.random() < 0.6
        words = grammar(None if about_oneself else person) | given
        self.questions.append(Question(type_, self._filled(asks, **words) + cue, grades))

    def _filled(self, templates: Sequence[str], **given: str) -> str:
        return fill(self._random.choice(templates), self._random, self._templates.pools, **given)

    def _values(self, pool: str) -> list[str]:
        """In an order of their own, so that no two people's are the same."""
        return self._random.sample(self._templates.pools[pool], 2 * len(self._cast))

    def _partner_of(self, person: str) -> str:
        """With whom the user is talking when this person says something."""
        others = self._cast[1:] if self._friends else [*self._cast[1:], ASSISTANT]
        return self._random.choice(others) if person == self._cast[0] else person

    def _other(self, person: str, partner: str) -> str:
        return self._cast[0] if person == partner else partner


def _fits(type_: str, topic: Topic) -> bool:
    match type_:
        case "changed" | "dated":
            return bool(topic.changed)
        case "paraphrase":
            return isinstance(topic.oblique, Oblique)
        case "neighbour":
            return True
        case _:
            return topic.kind == type_
