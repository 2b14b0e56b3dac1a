-- +goose NO TRANSACTION
-- +goose Up

-- What verifications found. A finding is a fact of its own, and no property of the verification that found it: it stays
-- open until a look of the same depth at the same orders does not find it again, whatever other verifications say (I12).

CREATE TABLE IF NOT EXISTS sync_finding_rows
(
    source LowCardinality(String) COMMENT 'Kind of source that was compared: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    id String COMMENT 'Stable id: the same difference found again is the same finding',
    kind LowCardinality(String) COMMENT 'What differs: missing, undone, ledger, count, absent, extra, changed or altered',
    depth LowCardinality(String) COMMENT 'What was compared when it was found: ledger, counts, rows (list rows), payloads or details',
    range_start DateTime64(3, 'UTC') COMMENT 'Start of where it is, inclusive, UTC',
    range_end DateTime64(3, 'UTC') COMMENT 'End of where it is, exclusive, UTC',
    order_id String COMMENT 'Order id, where it is about one order',
    at_source UInt64 COMMENT 'Orders at the source, or in the ledger',
    stored UInt64 COMMENT 'Orders in the warehouse',
    note String COMMENT 'More about it, for a person',
    found_at DateTime64(3, 'UTC') COMMENT 'When it was last found, UTC',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was found to be no more, UTC; NULL = it is open',
    ended_by LowCardinality(String) COMMENT 'What ended it: a verification, a repair or a run; empty = it is open',
    version UInt64 COMMENT 'Of the rows of one finding the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, owner_id, id)
COMMENT 'Storage of what verifications found. Read the view sync_findings instead';

-- What a verification could not look at is no part of what it compared.

ALTER TABLE sync_verifications
    ADD COLUMN IF NOT EXISTS left_out UInt64 COMMENT 'Windows of the range that were not compared: not in the ledger as complete, or the verification ended before'
    AFTER windows;

ALTER TABLE sync_verifications
    COMMENT COLUMN windows 'Windows of the range that were compared with the source';

ALTER TABLE sync_verifications
    COMMENT COLUMN deep '1 = list rows and stored payloads were compared; 0 = counts and digests';

ALTER TABLE sync_verifications
    COMMENT COLUMN differences 'Findings of the range that are open at its end, those of earlier and deeper verifications included';
