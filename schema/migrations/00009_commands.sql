-- +goose NO TRANSACTION
-- +goose Up

-- What people asked for: orders to be kept by their ids, and cancellations.

CREATE TABLE IF NOT EXISTS tracked_order_rows
(
    source LowCardinality(String) COMMENT 'Kind of source: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as it was given',
    added_at DateTime64(3, 'UTC') COMMENT 'When somebody asked for it, UTC',
    added_by String COMMENT 'Who asked for it: user and host',
    version UInt64 COMMENT 'Of the rows of one order the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, owner_id, order_id)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the tracked orders. Read the view tracked_orders instead';

CREATE OR REPLACE VIEW tracked_orders
(
    source LowCardinality(String) COMMENT 'Kind of source: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as it was given',
    added_at DateTime64(3, 'UTC') COMMENT 'When somebody asked for it, UTC',
    added_by String COMMENT 'Who asked for it: user and host'
)
AS
SELECT source, account, owner_id, order_id, added_at, added_by
FROM tracked_order_rows FINAL
COMMENT 'Orders that are kept because somebody asked for them by their ids, one row each';

CREATE TABLE IF NOT EXISTS cancellation_rows
(
    source LowCardinality(String) COMMENT 'Kind of source: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    id String COMMENT 'Id of the attempt',
    order_id String COMMENT 'Order id as received (OrderId)',
    requested_at DateTime64(3, 'UTC') COMMENT 'When the cancellation was asked of the vendor, UTC',
    requested_by String COMMENT 'Who asked for it: user and host',
    outcome LowCardinality(String) COMMENT 'cancelled, refused, unknown (no answer came) or not asked; asked = the program ended before it knew more',
    request_id String COMMENT 'The vendor''s id of the request (RequestId)',
    error String COMMENT 'Why it was not cancelled, for a person',
    payment_status LowCardinality(String) COMMENT 'What the order''s detail said afterwards, as received (PaymentStatus); empty = not learned',
    version UInt64 COMMENT 'Of the rows of one attempt the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, id)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the cancellations. Read the view cancellations instead';

CREATE OR REPLACE VIEW cancellations
(
    source LowCardinality(String) COMMENT 'Kind of source: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    id String COMMENT 'Id of the attempt',
    order_id String COMMENT 'Order id as received (OrderId)',
    requested_at DateTime64(3, 'UTC') COMMENT 'When the cancellation was asked of the vendor, UTC',
    requested_by String COMMENT 'Who asked for it: user and host',
    outcome LowCardinality(String) COMMENT 'cancelled, refused, unknown (no answer came) or not asked; asked = the program ended before it knew more',
    request_id String COMMENT 'The vendor''s id of the request (RequestId)',
    error String COMMENT 'Why it was not cancelled, for a person',
    payment_status LowCardinality(String) COMMENT 'What the order''s detail said afterwards, as received (PaymentStatus); empty = not learned'
)
AS
SELECT source, account, owner_id, id, order_id, requested_at, requested_by, outcome, request_id, error, payment_status
FROM cancellation_rows FINAL
COMMENT 'Who had which order cancelled at the vendor, one row an attempt: the only writes to a vendor that there are';
