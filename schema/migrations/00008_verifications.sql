-- +goose NO TRANSACTION
-- +goose Up

-- What verifications found, one row each: a log. A row is only replaced by itself, sent again after a broken connection.

CREATE TABLE IF NOT EXISTS sync_verifications
(
    source LowCardinality(String) COMMENT 'Kind of source that was compared: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    range_start DateTime64(3, 'UTC') COMMENT 'Start of what was verified, inclusive, UTC',
    range_end DateTime64(3, 'UTC') COMMENT 'End of what was verified, exclusive, UTC',
    whole UInt8 COMMENT '1 = everything that the ledger covered then; 0 = a range that somebody asked for',
    deep UInt8 COMMENT '1 = each order was compared; 0 = counts and digests',
    windows UInt64 COMMENT 'Windows of the range',
    calls UInt64 COMMENT 'Calls made to the vendor, those of a repair included',
    differences UInt64 COMMENT 'Differences that were found and are left',
    repaired UInt64 COMMENT 'Differences that were found and repaired',
    error String COMMENT 'Why it ended early, for a person; empty = it was finished',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC',
    finished_at DateTime64(3, 'UTC') COMMENT 'When it ended, UTC'
)
ENGINE = ReplacingMergeTree
ORDER BY (account, owner_id, finished_at)
COMMENT 'Verifications of the copy against its ledger and the source, one row each';
