-- +goose NO TRANSACTION
-- +goose Up

-- That an operator accepted a reject is a fact of its own. In the row of the reject a run that began before could undo it,
-- since a run writes that row again and again. An acceptance is about one failure: the same record that fails for another
-- reason, or with another payload, is open again.

ALTER TABLE reject_rows
    ADD COLUMN IF NOT EXISTS payload UInt64 DEFAULT if(stage = 'detail', 0, xxHash64(raw))
    COMMENT 'Hash of raw; 0 for a missing detail, whose raw is not what failed'
    AFTER raw;

ALTER TABLE reject_rows
    COMMENT COLUMN accepted_at 'When an operator accepted it, by versions before the table reject_acceptances';

CREATE TABLE IF NOT EXISTS reject_acceptances
(
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    id String COMMENT 'Id of the reject',
    reason LowCardinality(String) COMMENT 'Reason of the reject that was accepted',
    payload UInt64 COMMENT 'Hash of its payload; 0 for a missing detail',
    accepted_at DateTime64(3, 'UTC') COMMENT 'When an operator accepted it, UTC',
    accepted_by String COMMENT 'Who accepted it',
    note String COMMENT 'What the operator wrote',
    version UInt64 COMMENT 'Of several acceptances of one failure the one with the highest version counts, which is the first one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, id, reason, payload)
COMMENT 'Rejects that operators accepted after looking, one row for each failure. Read the view rejects instead';

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
    r.source AS source, r.account AS account, r.owner_id AS owner_id, r.id AS id, r.stage AS stage,
    r.order_id AS order_id, r.window_start AS window_start, r.create_time AS create_time, r.reason AS reason,
    r.message AS message, r.raw AS raw, r.first_seen AS first_seen, r.last_seen AS last_seen, r.attempts AS attempts,
    r.next_attempt AS next_attempt,
    if(isNull(a.accepted_at), r.accepted_at, a.accepted_at) AS accepted_at,
    if(isNull(a.accepted_at), r.accepted_by, ifNull(a.accepted_by, '')) AS accepted_by,
    if(isNull(a.accepted_at), r.note, ifNull(a.note, '')) AS note,
    r.resolved AS resolved, r.version AS version,
    multiIf(r.resolved = 1, 'resolved', isNotNull(accepted_at), 'accepted', 'open') AS status
FROM
(
    SELECT * FROM reject_rows FINAL
) AS r
LEFT JOIN
(
    SELECT account, id, reason, payload, toNullable(accepted_at) AS accepted_at, accepted_by, note
    FROM reject_acceptances FINAL
) AS a
ON a.account = r.account AND a.id = r.id AND a.reason = r.reason AND a.payload = r.payload
COMMENT 'Records that could not become rows, one row each, with the payload as received';
