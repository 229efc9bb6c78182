-- A turn that was cancelled stays in its session's history, with what was generated until then. Search never
-- finds it: it has no point, and so no embedding_id.
ALTER TABLE pandora.turns ADD COLUMN status TEXT NOT NULL DEFAULT 'saved';
ALTER TABLE pandora.turns ADD CONSTRAINT turns_status CHECK (status IN ('saved', 'cancelled'));
ALTER TABLE pandora.turns ALTER COLUMN embedding_id DROP NOT NULL;
