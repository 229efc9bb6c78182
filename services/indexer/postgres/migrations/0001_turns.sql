-- The index of turns (seed 003, 4.3). turn_number is not SERIAL: it is given once, by the stream that accepted
-- the turn, and is the same on redelivery.
CREATE SCHEMA IF NOT EXISTS pandora;

CREATE TABLE pandora.turns (
    turn_number BIGINT PRIMARY KEY,
    turn_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL DEFAULT now(),
    topic TEXT NOT NULL,
    intent TEXT NOT NULL,
    keywords JSONB NOT NULL,
    quality DOUBLE PRECISION NOT NULL,
    turn_dir TEXT NOT NULL,
    embedding_id UUID NOT NULL,
    recipe TEXT NOT NULL,
    model TEXT NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    quoted BOOLEAN NOT NULL
);

CREATE INDEX idx_turns_session ON pandora.turns (user_id, session_id, turn_number DESC);
CREATE INDEX idx_turns_user ON pandora.turns (user_id, turn_number DESC);
CREATE INDEX idx_turns_topic ON pandora.turns USING gin (to_tsvector('english', topic));
