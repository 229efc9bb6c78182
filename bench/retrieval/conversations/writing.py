"""Puts what a user's script tells into dated sessions, and writes all users' as one question set."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from bench.retrieval.conversations.script import (
    ASSISTANT,
    FRIENDS,
    FRIENDS_SLOTS,
    MONTH,
    SLOTS,
    Block,
    Line,
    Scriptwriter,
)
from bench.retrieval.conversations.templates import Templates, fill, read_templates
from bench.retrieval.sets import Document, Grades, Metadata, Query, write_set

_BEGINNING = datetime(2025, 1, 6, 7, tzinfo=UTC)
_DAYS = 480
_CAST = 3
SPLITS = ("tune", "test")


def write_conversations(out: Path, *, seed: int, users: int) -> tuple[int, int]:
    """How many messages and questions there are. The same bytes for the same numbers."""
    templates, random_ = read_templates(), Random(seed)
    names = random_.sample(templates.pools["first"], _CAST * users)
    corpus: list[Document] = []
    queries: list[Query] = []
    qrels: dict[str, dict[str, Grades]] = {split: {} for split in SPLITS}
    for number in range(users):
        cast = names[_CAST * number : _CAST * (number + 1)]
        if number % 4 >= 2:  # So that both splits get as many of either kind.
            cast = cast[:FRIENDS]
        script = Scriptwriter(templates, random_, cast)
        script.write()
        user = names[_CAST * number].lower()
        slots = FRIENDS_SLOTS if len(cast) == FRIENDS else SLOTS
        messages, ids = _told(script.blocks, slots, user, random_, templates)
        said_at = {message.id: message.metadata.at for message in messages}
        corpus += messages
        for place, question in enumerate(script.questions, 1):
            grades = {ids[key]: grade for key, grade in question.grades.items()}
            month = _month(said_at[max(grades, key=lambda id_: grades[id_])])
            text = question.text.replace(MONTH, month)
            query = Query(f"{user}-q{place:02}", text, Metadata(user=user, type=question.type))
            queries.append(query)
            qrels[SPLITS[number % len(SPLITS)]][query.id] = grades
    write_set(out, corpus, queries, qrels)
    return len(corpus), len(queries)


def _told(
    blocks: list[Block], slots: int, user: str, random_: Random, templates: Templates
) -> tuple[list[Document], dict[str, str]]:
    """The messages in the order in which they were sent, and the id of each line that has a key."""
    partners = list(dict.fromkeys(block.partner for block in blocks))
    messages: list[Document] = []
    ids: dict[str, str] = {}
    session = 0
    slot_days = _DAYS // slots
    for slot in range(slots):
        for place, partner in enumerate(partners):
            said = [block for block in blocks if block.slot == slot and block.partner == partner]
            random_.shuffle(said)
            session += 1
            day = slot * slot_days + place * slot_days // len(partners) + random_.randrange(14)
            at = _BEGINNING + timedelta(days=day, minutes=random_.randrange(900))
            lines = [
                _greeting(user, partner, random_, templates),
                *(x for block in said for x in block.lines),
            ]
            for position, line in enumerate(lines, 1):
                at += timedelta(seconds=random_.randrange(8, 240))
                id_ = f"{user}-{session:02}-{position:03}"
                about = Metadata(
                    user=user, session_id=f"{user}-{session:02}", speaker=line.speaker, at=_rfc(at)
                )
                messages.append(Document(id_, line.text, metadata=about))
                if line.key:
                    ids[line.key] = id_
    return messages, ids


def _greeting(user: str, partner: str, random_: Random, templates: Templates) -> Line:
    name = user.capitalize()
    speaker, to = (name, partner) if partner == ASSISTANT else random_.sample([name, partner], 2)
    return Line(speaker, fill(random_.choice(templates.talk.greetings), random_, templates.pools, to=to))


def _month(at: str) -> str:
    return datetime.fromisoformat(at).strftime("%B %Y")


def _rfc(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
