-- +goose NO TRANSACTION
-- +goose Up

-- Every state of a line item that was ever received, as order_versions has those of the orders. Rows arrive by themselves
-- with each insert into order_item_rows; the key ends in fetched_at because one payload is one state.

CREATE TABLE IF NOT EXISTS order_item_versions
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    item_id String COMMENT 'Line item id as received (BSS: SubOrderId)',
    related_order_id String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    order_sub_type LowCardinality(String) COMMENT 'Type of the line as received, such as ProductSubOrder (OrderSubType)',
    payment_status LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_type LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    commodity_code LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    subscription_type LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime of the order, on all its items)',
    payment_time Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    payment_currency LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    pretax_gross_amount Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    pretax_amount_local Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account''s local currency (PretaxAmountLocal); NULL = none sent',
    tax Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    instance_ids Array(String) COMMENT 'Ids of the instances that the line is about (InstanceIDs, unpacked from its JSON text)',
    region LowCardinality(String) COMMENT 'Region id (Region)',
    quantity Nullable(Decimal(38, 12)) COMMENT 'Count of the main product, in pieces (Quantity); NULL = none sent',
    config String COMMENT 'Normalised configuration as received, Module:[Key:Value;] (Config)' CODEC(ZSTD(1)),
    original_config String COMMENT 'Configuration as received before normalising (OriginalConfig)' CODEC(ZSTD(1)),
    operator String COMMENT 'Id of the RAM user who placed the order (Operator); empty = none sent',
    usage_start_time Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the service period, UTC (UsageStartTime); NULL = none sent',
    usage_end_time Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the service period, UTC (UsageEndTime); pay-as-you-go ends about 100 years on; NULL = none sent',
    extend_infos Map(String, String) COMMENT 'Extra information as received (ExtendInfos)',
    bill_module_config String COMMENT 'Billing modules, JSON as received (BillModuleConfig)' CODEC(ZSTD(1)),
    original_module_config String COMMENT 'Modules before normalising, JSON as received (OriginalModuleConfig)' CODEC(ZSTD(1)),
    fetched_at DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    version UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    is_deleted UInt8 COMMENT '1 = tombstone: the row vanished from its source; hidden by the views',
    raw String COMMENT 'The line item as received (JSON)' CODEC(ZSTD(1)),
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id, item_id, fetched_at)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Every state of every line item as it was received, oldest to newest. Read the view order_item_history instead';

-- Since when the states of an account's line items are all kept, where orders were synced before: of a line that changed
-- until then only the state of then is known.

CREATE TABLE IF NOT EXISTS item_history_starts
(
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    since DateTime64(3, 'UTC') COMMENT 'From when on every state of the line items is known, UTC'
)
ENGINE = ReplacingMergeTree
ORDER BY (account, since)
COMMENT 'Accounts that were synced before states of line items were kept. Read the view history_since instead';

INSERT INTO item_history_starts
SELECT account, max(fetched_at)
FROM order_item_rows
WHERE account GLOBAL NOT IN
(
SELECT account
FROM order_item_versions
)
GROUP BY account
SETTINGS distributed_foreground_insert = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS order_item_versions_feed TO order_item_versions
AS
SELECT
    source, account, owner_id, order_id, item_id, related_order_id, order_type, order_sub_type, payment_status,
    product_code, product_type, commodity_code, subscription_type, create_time, payment_time, currency,
    payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount, instance_ids,
    region, quantity, config, original_config, operator, usage_start_time, usage_end_time, extend_infos,
    bill_module_config, original_module_config, fetched_at, version, is_deleted, raw
FROM order_item_rows
COMMENT 'Copies each insert into order_item_rows to order_item_versions, so that a row is sent once';

-- What is stored becomes the first state, in small blocks: a warehouse of any size needs a few hundred megabytes for it.

INSERT INTO order_item_versions
SELECT
    source, account, owner_id, order_id, item_id, related_order_id, order_type, order_sub_type, payment_status,
    product_code, product_type, commodity_code, subscription_type, create_time, payment_time, currency,
    payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount, instance_ids,
    region, quantity, config, original_config, operator, usage_start_time, usage_end_time, extend_infos,
    bill_module_config, original_module_config, fetched_at, version, is_deleted, raw
FROM order_item_rows
SETTINGS max_threads = 1, max_insert_threads = 1, max_block_size = 8192, min_insert_block_size_rows = 65536,
    min_insert_block_size_bytes = 67108864, max_partitions_per_insert_block = 0, distributed_foreground_insert = 1;
