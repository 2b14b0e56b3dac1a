-- +goose NO TRANSACTION
-- +goose Up

-- Storage of the orders. Every version of a row shares the partition of its order's creation, so one insert of one
-- month is atomic and FINAL never has to look across partitions. Partitions that nothing writes to any more are merged
-- to one part after an hour.
-- The index on order_id serves look-ups by id alone; those on detail_status and payment_status find the few orders that
-- are pending or unpaid.

CREATE TABLE IF NOT EXISTS order_rows
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    related_order_id String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    payment_status LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_type LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    commodity_code LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    subscription_type LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    payment_time Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    payment_currency LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    pretax_gross_amount Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    pretax_amount_local Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account''s local currency (PretaxAmountLocal); NULL = none sent',
    tax Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    fingerprint UInt64 COMMENT 'Hash of the list row as received; equal = nothing to fetch; 0 = no list row was seen',
    detail_status LowCardinality(String) COMMENT 'ok = the line items belong to this state of the order; pending = the detail is still to be fetched',
    items UInt32 COMMENT 'How many line items this state of the order has, by its detail',
    fetched_at DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    version UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    is_deleted UInt8 COMMENT '1 = tombstone: the row vanished from its source; hidden by the views',
    raw String COMMENT 'The list row as received (JSON)' CODEC(ZSTD(1)),
    raw_detail String COMMENT 'The order part of the detail as received (JSON), where the source has one beside the items' CODEC(ZSTD(1)),
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX detail_status_set detail_status TYPE set(8) GRANULARITY 1,
    INDEX payment_status_set payment_status TYPE set(8) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the orders: all versions that are not merged away yet. Read the view orders instead';

-- The current state of every order: right without anyone writing FINAL (I9).

CREATE OR REPLACE VIEW orders
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    related_order_id String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    payment_status LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_type LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    commodity_code LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    subscription_type LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    payment_time Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    payment_currency LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    pretax_gross_amount Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    pretax_amount_local Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account''s local currency (PretaxAmountLocal); NULL = none sent',
    tax Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    fingerprint UInt64 COMMENT 'Hash of the list row as received; equal = nothing to fetch; 0 = no list row was seen',
    detail_status LowCardinality(String) COMMENT 'ok = the line items belong to this state of the order; pending = the detail is still to be fetched',
    items UInt32 COMMENT 'How many line items this state of the order has, by its detail',
    fetched_at DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    version UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    raw String COMMENT 'The list row as received (JSON)',
    raw_detail String COMMENT 'The order part of the detail as received (JSON), where the source has one beside the items'
)
AS
SELECT
    source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code, product_type,
    commodity_code, subscription_type, create_time, payment_time, currency, payment_currency, pretax_gross_amount,
    pretax_amount, pretax_amount_local, tax, after_tax_amount, fingerprint, detail_status, items, fetched_at, version,
    raw, raw_detail
FROM order_rows FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Current state of every order, one row each';
