-- +goose NO TRANSACTION
-- +goose Up

-- The claims of processes on ranges of creation time, so that nothing is fetched twice where several work on one account.
-- Nothing that is stored is right because of this table: it only saves calls.

CREATE TABLE IF NOT EXISTS sync_range_leases
(
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    range_start DateTime64(3, 'UTC') COMMENT 'Start of the creation times that are claimed, inclusive, UTC',
    range_end DateTime64(3, 'UTC') COMMENT 'End of the creation times that are claimed, exclusive, UTC',
    holder String COMMENT 'Random id of the process, made when it started',
    process String COMMENT 'Where it runs, for a person: host name and process id',
    renewed_at DateTime64(6, 'UTC') COMMENT 'When it last said that it lives, UTC, by the clock of the server; a claim that is not renewed within 40 seconds is dead',
    released UInt8 COMMENT '1 = given back'
)
ENGINE = ReplacingMergeTree(renewed_at)
ORDER BY (account, owner_id, range_start, range_end, holder)
TTL toDateTime(renewed_at) + INTERVAL 1 DAY
COMMENT 'Claims of processes on ranges of creation time that they fill: others leave such a range alone, or wait for it';
