-- What the images of a turn show, beside the user's words: file_id, name, description or problem of each.
ALTER TABLE pandora.turns ADD COLUMN images JSONB NOT NULL DEFAULT '[]';
