-- What has to stay forgotten: names and ids, never words. Events that come late are held against it.
CREATE TABLE pandora.forgotten (
    forget_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('turn', 'session', 'memory', 'user')),
    target TEXT NOT NULL,
    -- Turns that began later are kept.
    requested_at TIMESTAMPTZ NOT NULL,
    -- How far it is, store by store.
    receipt JSONB
);

CREATE INDEX idx_forgotten_user ON pandora.forgotten (user_id, scope, target);
