-- A turn may go on from another turn than the last one of its session: the number of that turn, 0 for none. The turns
-- that the newest one does not go on from are abandoned.
ALTER TABLE pandora.turns ADD COLUMN follows BIGINT;
ALTER TABLE pandora.turns ADD COLUMN abandoned BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX idx_turns_branched ON pandora.turns (user_id, session_id) WHERE follows IS NOT NULL;
