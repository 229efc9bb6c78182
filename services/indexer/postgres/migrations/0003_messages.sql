-- What search finds: every message, of a turn or imported. The turns table stays the list of turns; the indexer
-- itself adds the messages of turns that were saved before (services/indexer/mending.py).
CREATE TABLE pandora.messages (
    -- uuid5 of user, session and message id; the id of its (first) point.
    point_id UUID PRIMARY KEY,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    -- Its place in the session, in the order in which messages came.
    ordinal INTEGER NOT NULL,
    speaker TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'other')),
    text TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    turn_id TEXT,
    turn_number BIGINT,
    -- A question whose answer only quoted other turns.
    is_echo BOOLEAN NOT NULL DEFAULT false,
    -- Topic, intent and quality of its turn (seed 003).
    labels JSONB NOT NULL DEFAULT '{}',
    -- How often an answer stood on it.
    uses INTEGER NOT NULL DEFAULT 0,
    -- Its points are written.
    indexed BOOLEAN NOT NULL DEFAULT false
);

CREATE INDEX idx_messages_session ON pandora.messages (user_id, session_id, ordinal);
CREATE INDEX idx_messages_turn ON pandora.messages (turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX idx_messages_unindexed ON pandora.messages (user_id, session_id) WHERE NOT indexed;

-- Who speaks in a user's messages: names that a question may hold.
CREATE TABLE pandora.speakers (
    user_id TEXT NOT NULL,
    speaker TEXT NOT NULL,
    PRIMARY KEY (user_id, speaker)
);
