-- Where the streams hold the events that came, and what each is about: ids alone, kept a little longer than the streams
-- keep their messages. A request to forget finds them by it, and reads no stream.
CREATE TABLE pandora.arrivals (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    -- As the stream has it: a stream that began anew gives its numbers again.
    stored_at TIMESTAMPTZ NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    -- Empty: it belongs to no turn.
    turn_id TEXT NOT NULL,
    -- Of a memory: the id of the statement. Otherwise empty.
    memory_id TEXT NOT NULL,
    began_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (stream, sequence)
);
CREATE INDEX idx_arrivals_session ON pandora.arrivals (user_id, session_id);
CREATE INDEX idx_arrivals_turn ON pandora.arrivals (turn_id) WHERE turn_id <> '';
CREATE INDEX idx_arrivals_memory ON pandora.arrivals (memory_id) WHERE memory_id <> '';
CREATE INDEX idx_arrivals_stored ON pandora.arrivals USING brin (stored_at);
