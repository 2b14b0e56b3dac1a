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
