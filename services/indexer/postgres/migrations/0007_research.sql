-- Pages that were fetched, how their sources did, and what the work took (seed 003, 4.3).

-- turn_number references no turn: a page comes while its turn still runs, and has a row before the turn has one.
CREATE TABLE pandora.research (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    turn_number BIGINT,
    primary_topic TEXT NOT NULL,
    quality_overall DOUBLE PRECISION NOT NULL CHECK (quality_overall BETWEEN 0 AND 1),
    confidence_current DOUBLE PRECISION NOT NULL CHECK (confidence_current BETWEEN 0 AND 1),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at TIMESTAMPTZ NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('user')),
    content_types JSONB NOT NULL,
    doc_path TEXT,
    -- Besides the seed's columns:
    user_id TEXT NOT NULL,
    research_id TEXT NOT NULL,
    -- uuid5 of user and research id; the id of its first point.
    point_id UUID NOT NULL,
    url TEXT NOT NULL,
    domain TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    fetched_at TIMESTAMPTZ NOT NULL,
    published_at TIMESTAMPTZ,
    turn_id TEXT,
    session_id TEXT,
    -- When its turn was asked for, or it was fetched: what is forgotten until a moment goes by it.
    began_at TIMESTAMPTZ NOT NULL,
    -- Its points are written. Those of an expired page are removed, and it is not indexed any more.
    indexed BOOLEAN NOT NULL DEFAULT false,
    UNIQUE (user_id, research_id)
);

CREATE INDEX idx_research_topic ON pandora.research (user_id, lower(primary_topic));
CREATE INDEX idx_research_quality ON pandora.research (quality_overall DESC);
CREATE INDEX idx_research_address ON pandora.research (user_id, md5(url), fetched_at DESC);
CREATE INDEX idx_research_turn ON pandora.research (user_id, turn_id);
CREATE INDEX idx_research_session ON pandora.research (user_id, session_id);
CREATE INDEX idx_research_point ON pandora.research (point_id);
CREATE INDEX idx_research_expiry ON pandora.research (expires_at);
CREATE INDEX idx_research_expired ON pandora.research (expires_at) WHERE indexed;
CREATE INDEX idx_research_unindexed ON pandora.research (user_id, research_id) WHERE NOT indexed;

-- How domains did, over all users, as in the seed. The score is the mean of a beta distribution that began with
-- one success and one failure: (successes + 1) / (all + 2).
CREATE TABLE pandora.sources (
    domain TEXT PRIMARY KEY,
    success_count INTEGER NOT NULL DEFAULT 0,
    failure_count INTEGER NOT NULL DEFAULT 0,
    last_success TIMESTAMPTZ,
    last_failure TIMESTAMPTZ,
    reliability_score DOUBLE PRECISION NOT NULL DEFAULT 0.5,
    notes JSONB NOT NULL DEFAULT '{}'
);

-- What was counted already, so that what is delivered again counts once: ids alone, kept for 60 days.
CREATE TABLE pandora.counted (
    kind TEXT NOT NULL CHECK (kind IN ('source', 'turn')),
    id TEXT NOT NULL,
    counted_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, id)
);
CREATE INDEX idx_counted_at ON pandora.counted (counted_at);

-- What turns and their phases took, by day, over all users: numbers alone. Empty labels: none, or the whole turn.
CREATE TABLE pandora.observability (
    day DATE NOT NULL,
    name TEXT NOT NULL,
    recipe TEXT NOT NULL,
    phase TEXT NOT NULL,
    role TEXT NOT NULL,
    model TEXT NOT NULL,
    count BIGINT NOT NULL,
    sum DOUBLE PRECISION NOT NULL,
    least DOUBLE PRECISION NOT NULL,
    most DOUBLE PRECISION NOT NULL,
    -- How many values fell between which powers of ten (services/indexer/domain/observed.py).
    buckets BIGINT[] NOT NULL,
    PRIMARY KEY (day, name, recipe, phase, role, model)
);
