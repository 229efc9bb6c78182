-- What lasts beyond turns. `memory_statements` is what was said, and the only thing that is written by hand;
-- `memories` is derived from it, one slot (what is superseded together) at a time, in whatever order it came.
CREATE TABLE pandora.memory_statements (
    user_id TEXT NOT NULL,
    statement_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('fact', 'preference', 'note')),
    subject TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    text TEXT NOT NULL,
    confidence DOUBLE PRECISION NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    made_by TEXT NOT NULL CHECK (made_by IN ('user', 'tool', 'reflector')),
    said_at TIMESTAMPTZ NOT NULL,
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    used_at TIMESTAMPTZ,
    turn_id TEXT,
    session_id TEXT NOT NULL,
    message_ids TEXT[] NOT NULL,
    quote TEXT NOT NULL,
    PRIMARY KEY (user_id, statement_id)
);
CREATE INDEX idx_memory_statements_slot ON pandora.memory_statements (user_id, slot);
CREATE INDEX idx_memory_statements_memory ON pandora.memory_statements (user_id, memory_id);
CREATE INDEX idx_memory_statements_turn ON pandora.memory_statements (user_id, turn_id);
CREATE INDEX idx_memory_statements_session ON pandora.memory_statements (user_id, session_id);

CREATE TABLE pandora.memories (
    user_id TEXT NOT NULL,
    memory_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_key TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    text TEXT NOT NULL,
    confidence DOUBLE PRECISION NOT NULL,
    made_by TEXT NOT NULL,
    valid_from TIMESTAMPTZ NOT NULL,
    valid_to TIMESTAMPTZ,
    superseded_by TEXT,
    contradicts TEXT[] NOT NULL,
    confirmed_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ,
    evidence JSONB NOT NULL,
    point_id UUID NOT NULL,
    PRIMARY KEY (user_id, memory_id)
);
CREATE INDEX idx_memories_point ON pandora.memories (user_id, point_id);
CREATE INDEX idx_memories_slot ON pandora.memories (user_id, slot);
CREATE INDEX idx_memories_latest ON pandora.memories (user_id, valid_from DESC, memory_id DESC);

-- Sources of memories (statements and turns) that were forgotten: what is delivered late does not bring them
-- back. Ids alone, no words.
CREATE TABLE pandora.forgotten_sources (
    user_id TEXT NOT NULL,
    source_id TEXT NOT NULL,
    forgotten_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, source_id)
);
