-- +goose NO TRANSACTION
-- +goose Up

-- Every state of an order that was ever received. Rows arrive by themselves with each insert into order_rows. The key
-- ends in fetched_at because one payload is one state: an insert that is retried collapses, and a payload that is
-- decoded again (a replay) takes the place of its former reading instead of adding a change that never happened.

CREATE TABLE IF NOT EXISTS order_versions
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
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id, fetched_at)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Every state of every order as it was received, oldest to newest. Read the view order_history instead';

CREATE MATERIALIZED VIEW IF NOT EXISTS order_versions_feed TO order_versions
AS
SELECT
    source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code, product_type,
    commodity_code, subscription_type, create_time, payment_time, currency, payment_currency, pretax_gross_amount,
    pretax_amount, pretax_amount_local, tax, after_tax_amount, fingerprint, detail_status, items, fetched_at, version,
    is_deleted, raw, raw_detail
FROM order_rows
COMMENT 'Copies each insert into order_rows to order_versions, so that a row is sent once';

-- One row for each change that was observed. Equal states that follow each other count once, whatever wrote them (I3,
-- I9): the comparison is over what the source said, not over the bookkeeping. The current rows are read as well,
-- because an insert and its copy into order_versions are two commits: a crash between them must not hide a state (I7).

CREATE OR REPLACE VIEW order_history
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
    items UInt32 COMMENT 'How many line items the order had when this state was first stored; 0 = not fetched yet',
    fingerprint UInt64 COMMENT 'Hash of the list row as received; 0 = no list row was seen',
    change UInt64 COMMENT 'Number of this state among the states of its order, from 1, the first one seen',
    valid_from DateTime64(3, 'UTC') COMMENT 'When this state was first received, UTC',
    valid_to Nullable(DateTime64(3, 'UTC')) COMMENT 'When the next state was first received, UTC; NULL = this is the current state',
    version UInt64 COMMENT 'Version with which this state was first stored',
    raw String COMMENT 'The list row as received (JSON)',
    raw_detail String COMMENT 'The order part of the detail as received (JSON)'
)
AS
SELECT
    source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code, product_type,
    commodity_code, subscription_type, create_time, payment_time, currency, payment_currency, pretax_gross_amount,
    pretax_amount, pretax_amount_local, tax, after_tax_amount, items, fingerprint,
    change,
    fetched_at AS valid_from,
    if(is_last, NULL, greatest(next_fetched_at, fetched_at)) AS valid_to,
    version, raw, raw_detail
FROM
(
    SELECT
        *,
        row_number() OVER w AS change,
        leadInFrame(fetched_at) OVER w AS next_fetched_at,
        leadInFrame(1, 1, 0) OVER w = 0 AS is_last
    FROM
    (
        SELECT
            *,
            row_number() OVER w AS position,
            lagInFrame(state) OVER w AS previous_state
        FROM
        (
            SELECT
                source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code,
                product_type, commodity_code, subscription_type, create_time, payment_time, currency,
                payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount,
                fingerprint, items, fetched_at, version, is_deleted, raw, raw_detail,
                sipHash64(tuple(is_deleted, source, owner_id,
                    related_order_id, order_type, payment_status, product_code, product_type, commodity_code,
                    subscription_type, payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount,
                    pretax_amount_local, tax, after_tax_amount)) AS state
            FROM order_versions FINAL
            UNION ALL
            SELECT
                source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code,
                product_type, commodity_code, subscription_type, create_time, payment_time, currency,
                payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount,
                fingerprint, items, fetched_at, version, is_deleted, raw, raw_detail,
                sipHash64(tuple(is_deleted, source, owner_id,
                    related_order_id, order_type, payment_status, product_code, product_type, commodity_code,
                    subscription_type, payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount,
                    pretax_amount_local, tax, after_tax_amount)) AS state
            FROM order_rows FINAL
        )
        WINDOW w AS (PARTITION BY account, create_time, order_id ORDER BY version ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
    WHERE position = 1 OR state != previous_state
    WINDOW w AS (PARTITION BY account, create_time, order_id ORDER BY version ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE is_deleted = 0
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row per observed change of an order, from valid_from until valid_to';
