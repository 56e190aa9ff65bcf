-- +goose Up

-- Runs of grants: one row for each moment of a grant. Unlike the tables of the
-- stream these are no projection: they say what the reconciler has set out to
-- do and what came of it. That a member gets a moment once doesn't hang on
-- them: the accounts know it.
CREATE TABLE grant_runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant    text NOT NULL,
    name        text NOT NULL,
    occurrence  timestamptz NOT NULL,        -- the moment for which it is given
    segment     text NOT NULL,
    reason      text NOT NULL,
    points      bigint NOT NULL,             -- for each member, hundredths
    program     bigint NOT NULL,             -- version of the programme
    publisher   text NOT NULL,               -- name of the API key that published it
    status      text NOT NULL CHECK (status IN ('running', 'done', 'missed', 'refused', 'ended')),
    why         text NOT NULL,
    members     bigint NOT NULL,             -- who belonged to the segment when it began
    given       bigint NOT NULL,
    skipped     bigint NOT NULL,
    failed      bigint NOT NULL,
    total       bigint NOT NULL,             -- points given, hundredths
    began_at    timestamptz NOT NULL,
    ended_at    timestamptz,
    UNIQUE (merchant, name, occurrence)
);
CREATE INDEX grant_runs_open ON grant_runs (id) WHERE status = 'running';

CREATE TABLE grant_members (
    run        bigint NOT NULL REFERENCES grant_runs ON DELETE CASCADE,
    account    text COLLATE "C" NOT NULL,
    status     text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'given', 'skipped', 'failed')),
    why        text NOT NULL DEFAULT '',
    operation  text COLLATE "C",             -- the adjustment
    PRIMARY KEY (run, account)
);
CREATE INDEX grant_members_waiting ON grant_members (run, account) WHERE status = 'waiting';

-- The outbox of reminders: one row for each member, lapse and term. Readers go
-- by id, which grows with each row.
CREATE TABLE reminders (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant    text NOT NULL,
    account     text COLLATE "C" NOT NULL,
    expires_at  timestamptz NOT NULL,
    before      text NOT NULL,               -- the term, as the programme writes it
    points      bigint NOT NULL,             -- what was to lapse then, hundredths
    made_at     timestamptz NOT NULL,
    UNIQUE (merchant, before, expires_at, account)
);
CREATE INDEX reminders_of ON reminders (merchant, id);

-- What lapses when is looked for by date. Rows come roughly in the order of
-- their dates, so that an index of ranges does, which costs the projection
-- next to nothing.
CREATE INDEX operation_lots_expiry ON operation_lots USING brin (expires_at);
CREATE INDEX operations_extended ON operations USING brin (extended_to);

-- +goose Down
DROP INDEX operations_extended, operation_lots_expiry;
DROP TABLE reminders, grant_members, grant_runs;
