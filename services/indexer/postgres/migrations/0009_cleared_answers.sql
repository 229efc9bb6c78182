-- Turns whose answers were removed, because they stood on something forgotten. An event of such a turn may
-- come later than the order to remove its answer.
CREATE TABLE pandora.cleared_answers (
    turn_id TEXT PRIMARY KEY,
    cleared_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
