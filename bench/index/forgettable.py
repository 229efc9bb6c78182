"""Fills what forgetting looks at beside rows and points: the streams, and the documents of some users' turns.

Further users are copies of the first ones, made by SQL. They have rows and stored events, and no points.
"""

from collections.abc import Sequence

import asyncpg
from nats.aio.msg import Msg

from bench.index.stored import Said
from bench.running.parts import Installation
from services.orchestrator.documents.folder import FolderDocuments
from services.orchestrator.documents.rendering import EVENTS, METADATA, RESPONSE
from shared.bus.connection import Bus
from shared.bus.durables import INDEXER_TURN_SAVED
from shared.bus.streams import OUTCOMES
from shared.contract.derivation import derive
from shared.contract.events import TurnSaved, decode, encode
from shared.contract.requests import TurnRecord

_STREAM = str(OUTCOMES.name)
_FETCHED = 1_000
_ANSWER_SECONDS = 30.0
_COPIED_TURNS = """
INSERT INTO pandora.turns
SELECT (jsonb_populate_record(t, jsonb_build_object(
    'turn_number', t.turn_number + copy * $1::bigint, 'turn_id', md5(copy || t.turn_id)::uuid::text,
    'user_id', 'copy-' || copy || '-' || t.user_id
))).* FROM pandora.turns AS t, generate_series(1, $2::integer) AS copy
"""
_COPIED_MESSAGES = """
INSERT INTO pandora.messages
SELECT (jsonb_populate_record(m, jsonb_build_object(
    'point_id', gen_random_uuid(), 'turn_number', m.turn_number + copy * $1::bigint,
    'turn_id', md5(copy || m.turn_id)::uuid::text, 'user_id', 'copy-' || copy || '-' || m.user_id
))).* FROM pandora.messages AS m, generate_series(1, $2::integer) AS copy
"""
_TURNS = """
SELECT turn_id, turn_number, session_id, user_id AS user, input, output, recipe, model, topic, intent,
    ARRAY['bench'] AS keywords, quality, turn_dir, timestamp AS requested_at, timestamp AS saved_at
FROM pandora.turns ORDER BY turn_number
"""
_NOTED = ("stream", "sequence", "stored_at", "user_id", "session_id", "turn_id", "memory_id", "began_at")


async def copy_rows(dsn: str, said: Said, copies: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in (_COPIED_TURNS, _COPIED_MESSAGES):
            await connection.execute(statement, said.messages, copies)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def fill_stream(bus: Bus, indexer: Bus, dsn: str) -> None:
    """Stores a `turn.saved` for each turn, and takes them as the indexer would that has their rows.

    `indexer` has the indexer's rights: no other process may acknowledge what it takes.
    """
    connection = await asyncpg.connect(dsn)
    try:
        published = 0
        async with connection.transaction():
            async for record in connection.cursor(_TURNS, prefetch=_FETCHED):
                await bus.connection.publish(TurnSaved.subject, encode(TurnSaved(**record)))
                published += 1
                if published % _FETCHED == 0:
                    await bus.connection.flush(60)
        taking = await indexer.jetstream.pull_subscribe_bind(INDEXER_TURN_SAVED.name, stream=_STREAM)
        while published > 0:
            messages = await taking.fetch(_FETCHED, timeout=_ANSWER_SECONDS)
            await connection.copy_records_to_table(
                "arrivals", schema_name="pandora", columns=_NOTED, records=map(_noted, messages)
            )
            for message in messages:
                await message.ack()
            published -= len(messages)
        await indexer.connection.flush()
        await connection.execute("VACUUM ANALYZE pandora.arrivals")
    finally:
        await connection.close()


def _noted(message: Msg) -> tuple[object, ...]:
    turn, of = decode(TurnSaved, message.data), message.metadata
    place = (_STREAM, of.sequence.stream, of.timestamp)
    return (*place, turn.user, turn.session_id, turn.turn_id, "", turn.requested_at)


async def turns_to_forget(dsn: str, users: Sequence[str]) -> list[TurnSaved]:
    connection = await asyncpg.connect(dsn)
    try:
        of_users = _TURNS.replace("ORDER BY", "WHERE user_id = ANY($1) ORDER BY")
        return [TurnSaved(**record) for record in await connection.fetch(of_users, list(users))]
    finally:
        await connection.close()


async def write_documents(installation: Installation, turns: Sequence[TurnSaved]) -> None:
    documents = FolderDocuments(installation.folder / "turns")
    for turn in turns:
        record = derive(TurnRecord, turn, status="saved", ended_at=turn.saved_at)
        files = {RESPONSE: record.output, METADATA: encode(record).decode(), EVENTS: ""}
        await documents.write(turn.turn_number, turn.turn_id, files)
