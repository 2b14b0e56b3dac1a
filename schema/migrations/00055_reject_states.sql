-- +goose NO TRANSACTION
-- +goose Up

-- What became of each reject, without its payload. Where a vendor changes a format every order becomes a reject: whoever
-- lists one window, or fetches one order, must not read the rejects of all others, so they are found by window and by
-- order, with small granules. And to say that a record became a row after all takes a row here, without its payload.

CREATE TABLE IF NOT EXISTS reject_states
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    id String COMMENT 'Stable id: the same record rejected again is the same reject',
    stage LowCardinality(String) COMMENT 'Where it failed: list (a list row), detail (an order''s detail) or item (one line of a detail)',
    order_id String COMMENT 'Order id, where the record has one',
    window_start Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window in which it was met, UTC',
    create_time Nullable(DateTime64(3, 'UTC')) COMMENT 'When the order was created, UTC; NULL = could not be read',
    reason LowCardinality(String) COMMENT 'Short label of the cause',
    payload UInt64 COMMENT 'Hash of raw; 0 for a missing detail, whose raw is not what failed',
    first_seen DateTime64(3, 'UTC') COMMENT 'When it was first rejected, UTC',
    last_seen DateTime64(3, 'UTC') COMMENT 'When it was last rejected, UTC',
    attempts UInt32 COMMENT 'How often it was tried',
    next_attempt Nullable(DateTime64(3, 'UTC')) COMMENT 'When it may be tried again, UTC; NULL = with the next walk of its window',
    accepted_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When an operator accepted it, by versions before the table reject_acceptances',
    resolved UInt8 COMMENT '1 = it became a row after all',
    version UInt64 COMMENT 'Of the rows of one reject the highest version is the current one',
    PROJECTION by_window (SELECT account, owner_id, window_start, id ORDER BY account, owner_id, window_start),
    PROJECTION by_order (SELECT account, order_id, id ORDER BY account, order_id)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, id)
SETTINGS index_granularity = 256,
    deduplicate_merge_projection_mode = 'rebuild',
    min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'What became of each reject, without its payload. Read the view rejects instead';

CREATE MATERIALIZED VIEW IF NOT EXISTS reject_states_feed TO reject_states
AS
SELECT
    source, account, owner_id, id, stage, order_id, window_start, create_time, reason,
    if(stage = 'detail', 0, xxHash64(raw)) AS payload, first_seen, last_seen, attempts, next_attempt, accepted_at, resolved, version
FROM reject_rows
COMMENT 'Copies each insert into reject_rows to reject_states, without the payload';

INSERT INTO reject_states
SELECT
    source, account, owner_id, id, stage, order_id, window_start, create_time, reason,
    if(stage = 'detail', 0, xxHash64(raw)) AS payload, first_seen, last_seen, attempts, next_attempt, accepted_at, resolved, version
FROM reject_rows;
