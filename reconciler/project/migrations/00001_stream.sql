-- +goose Up

-- Where the projection stands. One row per partition; the sequence is the
-- journal's, so that the in-process stream and Kafka can be exchanged.
CREATE TABLE positions (
    partition     integer PRIMARY KEY,
    sequence      bigint NOT NULL,            -- the newest record that is here
    booked_at     timestamptz,                -- its booking time
    window_state  bytea NOT NULL DEFAULT ''   -- the open window: what has come since the last seal
);

-- Which ledger this database is a projection of. Records of another ledger
-- are refused.
CREATE TABLE source (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    store       text NOT NULL,
    partitions  integer NOT NULL
);

-- Offsets of the compacted profile topic, a mere shortcut: reading the topic
-- again from its beginning leads to the same rows.
CREATE TABLE profile_offsets (
    partition  integer PRIMARY KEY,
    next       bigint NOT NULL
);

-- One row per record of the journal. Sums of money and points are in minor
-- units (hundredths). Ids are the twelve (operations) and thirteen (accounts)
-- characters that slips and answers show; in the "C" collation their order is
-- the journal's.
CREATE TABLE operations (
    id                text COLLATE "C" PRIMARY KEY,
    partition         integer NOT NULL,
    sequence          bigint NOT NULL,
    kind              text NOT NULL,
    code              text NOT NULL,          -- approved, partial, or why it was declined
    booked_at         timestamptz NOT NULL,   -- booking date: never before the record ahead of it
    at                timestamptz NOT NULL,   -- business date: when it happened at the till
    at_offset         integer NOT NULL,       -- seconds east of UTC in which `at` was written
    due_at            timestamptz,            -- of what fell due by itself: when
    late              boolean NOT NULL,       -- booked in another month than its business date
    account           text COLLATE "C",
    prev              text COLLATE "C",       -- the account's operation before this one
    parent            text COLLATE "C",       -- the hold or sale it is about
    target            text COLLATE "C",       -- what a reversal undid, what a resolution decided
    undoes            text NOT NULL,          -- of a reversal: the kind of what it undid
    figures           text COLLATE "C",       -- the record with the figures of the hold that ended
    source            text COLLATE "C",       -- the operation of another account that sent it
    source_index      integer NOT NULL,       -- which of that operation's transfers
    referrer          text COLLATE "C",       -- the account that invited the member
    program           bigint NOT NULL,        -- version of the programme
    merchant          text NOT NULL,
    terminal          text NOT NULL,
    store             text NOT NULL,
    cashier           text NOT NULL,
    channel           text NOT NULL,
    receipt           text NOT NULL,
    shift             text NOT NULL,
    actor             text NOT NULL,          -- name of the API key
    edge              text NOT NULL,
    offline           boolean NOT NULL,
    registered        boolean NOT NULL,
    iso_mti           text NOT NULL,
    iso_processing    text NOT NULL,
    iso_stan          text NOT NULL,
    iso_local_time    text NOT NULL,
    iso_local_date    text NOT NULL,
    iso_de7           text NOT NULL,
    currency          text NOT NULL,
    total             bigint NOT NULL,        -- money
    discount          bigint NOT NULL,        -- money
    redeemed          bigint NOT NULL,        -- money that points have paid
    payable           bigint NOT NULL,        -- money
    points            bigint NOT NULL,        -- points redeemed
    earned            bigint NOT NULL,        -- points
    max_redeem        bigint NOT NULL,        -- points
    asked             bigint NOT NULL,        -- points
    tier              text NOT NULL,
    next_tier         text NOT NULL,
    next_missing      bigint NOT NULL,
    detail            text NOT NULL,
    field             text NOT NULL,
    status            text NOT NULL,
    warnings          text[] NOT NULL,
    flags             text[] NOT NULL,
    hold              text COLLATE "C",       -- the hold that was put
    hold_until        timestamptz,
    dropped           text COLLATE "C",       -- the hold that ended
    extended_to       timestamptz,            -- lots without a term of their own end there, if that is later
    owed              bigint NOT NULL,        -- change of the deficit
    spent_day         date,
    spent             bigint NOT NULL,
    purchase          boolean NOT NULL,
    tier_until        timestamptz,
    into_account      text COLLATE "C",
    leg_available     bigint NOT NULL,
    leg_pending       bigint NOT NULL,
    leg_held          bigint NOT NULL,
    leg_deficit       bigint NOT NULL,
    leg_issued        bigint NOT NULL,
    leg_redeemed      bigint NOT NULL,
    leg_expired       bigint NOT NULL,
    leg_adjusted      bigint NOT NULL,
    leg_referral      bigint NOT NULL,
    leg_transit       bigint NOT NULL,
    after_available   bigint NOT NULL,
    after_pending     bigint NOT NULL,
    after_held        bigint NOT NULL,
    after_deficit     bigint NOT NULL,
    CHECK (leg_available + leg_pending + leg_held + leg_deficit + leg_issued + leg_redeemed
        + leg_expired + leg_adjusted + leg_referral + leg_transit = 0)
);
-- Exports read a merchant's records in booking order.
CREATE INDEX operations_booked ON operations (merchant, booked_at);
-- A member's history, newest first, and the newest balance of each account.
CREATE INDEX operations_account ON operations (account, id DESC) WHERE account IS NOT NULL;
-- The office's list is short, the table is long.
CREATE INDEX operations_office ON operations (kind, target) WHERE kind IN ('park', 'resolve');

CREATE TABLE operation_lines (
    operation  text COLLATE "C" NOT NULL,
    n          integer NOT NULL,
    line       text NOT NULL,
    sku        text NOT NULL,
    category   text NOT NULL,
    quantity   bigint NOT NULL,               -- thousandths
    price      bigint NOT NULL,
    amount     bigint NOT NULL,
    discount   bigint NOT NULL,
    redeemed   bigint NOT NULL,               -- money
    points     bigint NOT NULL,               -- the same in points
    earned     bigint NOT NULL,               -- points
    PRIMARY KEY (operation, n)
);

CREATE TABLE operation_rules (
    operation  text COLLATE "C" NOT NULL,
    n          integer NOT NULL,
    rule       text NOT NULL,
    points     bigint NOT NULL,               -- of a rule that earns
    discount   bigint NOT NULL,               -- money off, of a discount's rule
    PRIMARY KEY (operation, n)
);

-- What an operation did to lots: `lot` is added to the account's lots
-- (negative: taken), `pin` is what a hold pins or a sale has consumed,
-- `earned` is the sale's own lot, `sent` left for another account. With
-- operations.extended_to this is what liability by month is made of.
CREATE TABLE operation_lots (
    operation   text COLLATE "C" NOT NULL,
    n           integer NOT NULL,
    effect      text NOT NULL,
    active_at   timestamptz,                  -- null: at once
    expires_at  timestamptz,                  -- null: never
    points      bigint NOT NULL,
    own         boolean NOT NULL,             -- a term of its own, which a purchase does not extend
    account     text COLLATE "C",             -- of `sent`: to whom
    PRIMARY KEY (operation, n)
);

-- Sealed windows as the ledger has written them, and what was received.
CREATE TABLE windows (
    operation   text COLLATE "C" PRIMARY KEY,
    partition   integer NOT NULL,
    first       bigint NOT NULL,
    last        bigint NOT NULL,
    count       bigint NOT NULL,
    sums        bigint[] NOT NULL,            -- per account of the chart, in its order
    hash        bytea NOT NULL,               -- chained to the window before
    verdict     text NOT NULL,                -- equal, or what differs
    sealed_at   timestamptz NOT NULL
);
CREATE UNIQUE INDEX windows_range ON windows (partition, first);

-- Members without and with their personal data. Profiles come by a way of
-- their own; erasing a member empties them.
CREATE TABLE members (
    account         text COLLATE "C" PRIMARY KEY,
    merchant        text NOT NULL,
    registered      boolean NOT NULL,
    erased          boolean NOT NULL,
    into_account    text COLLATE "C",
    created_at      timestamptz,
    joined_at       timestamptz,
    profile         jsonb,
    profile_as_of   bigint NOT NULL DEFAULT 0, -- sequence of the record whose profile this is
    profile_wanted  bigint NOT NULL DEFAULT 0  -- sequence of the newest record that changed it
);
CREATE INDEX members_merchant ON members (merchant, account);
CREATE INDEX members_behind ON members (account) WHERE profile_as_of < profile_wanted;

-- Shifts as they were closed, or found to differ: the till's totals and the
-- host's, minor units of money.
CREATE TABLE shifts (
    operation         text COLLATE "C" PRIMARY KEY,
    merchant          text NOT NULL,
    store             text NOT NULL,
    terminal          text NOT NULL,
    shift             text NOT NULL,
    booked_at         timestamptz NOT NULL,
    matched           boolean NOT NULL,
    till_sales_count  bigint NOT NULL, till_sales      bigint NOT NULL,
    till_returns_count bigint NOT NULL, till_returns   bigint NOT NULL,
    till_redeemed_count bigint NOT NULL, till_redeemed bigint NOT NULL,
    till_given_back_count bigint NOT NULL, till_given_back bigint NOT NULL,
    till_net          bigint NOT NULL,
    host_sales_count  bigint NOT NULL, host_sales      bigint NOT NULL,
    host_returns_count bigint NOT NULL, host_returns   bigint NOT NULL,
    host_redeemed_count bigint NOT NULL, host_redeemed bigint NOT NULL,
    host_given_back_count bigint NOT NULL, host_given_back bigint NOT NULL,
    host_net          bigint NOT NULL
);
CREATE INDEX shifts_of ON shifts (merchant, store, terminal, shift, operation);

-- Each shift as it stands: its newest closing, and whether something has come
-- to it since, which opens it again.
CREATE VIEW shift_states AS
SELECT s.*, s.matched AND NOT EXISTS (
    SELECT FROM operations o
    WHERE o.merchant = s.merchant AND o.booked_at >= s.booked_at AND o.store = s.store AND o.terminal = s.terminal
        AND o.shift = s.shift AND o.kind IN ('confirm', 'accrue', 'redeem', 'return', 'reverse', 'park', 'resolve')
        AND o.code IN ('approved', 'partial')
    ) AS closed
FROM (
    SELECT DISTINCT ON (merchant, store, terminal, shift) * FROM shifts
    ORDER BY merchant, store, terminal, shift, booked_at DESC, operation DESC
) s;

-- What waits for the office.
CREATE VIEW parked AS
SELECT p.*, r.id AS resolved_by, r.status AS resolution, r.booked_at AS resolved_at
FROM operations p
LEFT JOIN operations r ON r.kind = 'resolve' AND r.target = p.id
WHERE p.kind = 'park';

-- The newest balance of each account.
CREATE VIEW balances AS
SELECT DISTINCT ON (account) account, merchant, id AS operation, booked_at,
    after_available AS available, after_pending AS pending, after_held AS held, after_deficit AS deficit
FROM operations
WHERE account IS NOT NULL
ORDER BY account, id DESC;

-- +goose Down
DROP VIEW balances;
DROP VIEW shift_states;
DROP VIEW parked;
DROP TABLE shifts, members, windows, operation_lots, operation_rules, operation_lines, operations,
    profile_offsets, source, positions;
