-- +goose NO TRANSACTION
-- +goose Up

-- The claims of daemons on accounts. Of those that are alive the oldest one leads; the others stand by, so that no quota
-- is spent twice. Nothing that is stored is right because of this table: it only saves calls.

CREATE TABLE IF NOT EXISTS sync_leases
(
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    holder String COMMENT 'Random id of the daemon, made when it started',
    process String COMMENT 'Where it runs, for a person: host name and process id',
    since DateTime64(6, 'UTC') COMMENT 'When it claimed the account, UTC, by the clock of the server; of the live claims the oldest one leads',
    renewed_at DateTime64(6, 'UTC') COMMENT 'When it last said that it lives, UTC, by the clock of the server; a claim that is not renewed within 40 seconds is dead',
    released UInt8 COMMENT '1 = given back at a clean stop'
)
ENGINE = ReplacingMergeTree(renewed_at)
ORDER BY (account, holder)
TTL toDateTime(renewed_at) + INTERVAL 1 DAY
COMMENT 'Claims of daemons on accounts, one row per account and daemon: the oldest live one works, the others stand by';
