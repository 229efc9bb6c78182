-- Which stores still have bytes of what is forgotten, and since when: names and ids, never words. `cause` is the id of a
-- request to forget, or of a turn that was removed, in whole or in part, after such a request.
CREATE TABLE pandora.unerased (
    store TEXT NOT NULL,
    cause TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (store, cause)
);

CREATE INDEX idx_forgotten_unerased ON pandora.forgotten (forget_id) WHERE receipt ->> 'state' = 'forgotten';
