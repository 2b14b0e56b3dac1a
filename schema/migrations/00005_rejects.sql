-- +goose NO TRANSACTION
-- +goose Up

-- What could not become a row, with the payload as received: nothing is dropped (I4).

CREATE TABLE IF NOT EXISTS reject_rows
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
    message String COMMENT 'What is wrong, for a person',
    raw String COMMENT 'The record as received' CODEC(ZSTD(1)),
    first_seen DateTime64(3, 'UTC') COMMENT 'When it was first rejected, UTC',
    last_seen DateTime64(3, 'UTC') COMMENT 'When it was last rejected, UTC',
    attempts UInt32 COMMENT 'How often it was tried',
    next_attempt Nullable(DateTime64(3, 'UTC')) COMMENT 'When it may be tried again, UTC; NULL = with the next walk of its window',
    accepted_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When an operator accepted it, UTC; NULL = not accepted',
    accepted_by String COMMENT 'Who accepted it',
    note String COMMENT 'What the operator wrote',
    resolved UInt8 COMMENT '1 = it became a row after all',
    version UInt64 COMMENT 'Of the rows of one reject the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, id)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the rejects. Read the view rejects instead';

CREATE OR REPLACE VIEW rejects
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
    message String COMMENT 'What is wrong, for a person',
    raw String COMMENT 'The record as received',
    first_seen DateTime64(3, 'UTC') COMMENT 'When it was first rejected, UTC',
    last_seen DateTime64(3, 'UTC') COMMENT 'When it was last rejected, UTC',
    attempts UInt32 COMMENT 'How often it was tried',
    next_attempt Nullable(DateTime64(3, 'UTC')) COMMENT 'When it may be tried again, UTC; NULL = with the next walk of its window',
    accepted_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When an operator accepted it, UTC; NULL = not accepted',
    accepted_by String COMMENT 'Who accepted it',
    note String COMMENT 'What the operator wrote',
    resolved UInt8 COMMENT '1 = it became a row after all',
    version UInt64 COMMENT 'Of the rows of one reject the highest version is the current one',
    status LowCardinality(String) COMMENT 'open, accepted (by an operator) or resolved (it became a row)'
)
AS
SELECT
    source, account, owner_id, id, stage, order_id, window_start, create_time, reason, message, raw, first_seen,
    last_seen, attempts, next_attempt, accepted_at, accepted_by, note, resolved, version,
    multiIf(resolved = 1, 'resolved', isNotNull(accepted_at), 'accepted', 'open') AS status
FROM reject_rows FINAL
COMMENT 'Records that could not become rows, one row each, with the payload as received';
