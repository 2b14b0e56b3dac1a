-- +goose NO TRANSACTION
-- +goose Up

-- When the detail of an order was fetched again and was as it is stored. Such a fetch writes no new version of the order or of its
-- items, so their fetched_at does not tell.

CREATE TABLE IF NOT EXISTS detail_check_rows
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    checked_at DateTime64(3, 'UTC') COMMENT 'When its detail was last fetched and was as it is stored, UTC',
    version UInt64 COMMENT 'Of the rows of one order the one with the highest version counts'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id)
COMMENT 'Orders whose detail was fetched again without anything new in it, one row for each';
