-- +goose NO TRANSACTION
-- +goose Up

-- What was spent, to be grouped by whatever is asked for. It is made of line items, because only they know region and
-- operator. The details spell enumerations in lower case at times, so spelling is not compared. The vendor does not
-- document which sign a refund has; here it is always money that came back.

CREATE OR REPLACE VIEW spend
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    item_id String COMMENT 'Line item id as received (BSS: SubOrderId)',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime of the order, on all its items)',
    day Date COMMENT 'Day on which the order was created, UTC (CreateTime); for another zone group by toDate(create_time, ''Asia/Shanghai'')',
    kind LowCardinality(String) COMMENT 'paid, refund, unpaid, cancelled, or other where the status is none of these (PaymentStatus, OrderType, OrderSubType)',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_type LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    product_name String COMMENT 'Name of the product for people, from the account''s product list (ProductName); empty = not in the list, or no list was loaded',
    subscription_type LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    region LowCardinality(String) COMMENT 'Region id (Region)',
    operator String COMMENT 'Id of the RAM user who placed the order (Operator); empty = none sent: the account itself',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency): group by it, amounts of two currencies have no sum',
    paid Nullable(Decimal(38, 12)) COMMENT 'Amount before tax of what is paid for, in currency (PretaxAmount); 0 for every other kind; NULL = none sent',
    refunded Nullable(Decimal(38, 12)) COMMENT 'Amount before tax that a refund gave back, in currency, never negative (PretaxAmount without its sign); 0 for every other kind; NULL = none sent',
    net Nullable(Decimal(38, 12)) COMMENT 'paid minus refunded: what was spent, before tax, in currency; NULL = none sent',
    net_after_tax Nullable(Decimal(38, 12)) COMMENT 'The same after tax, in currency (AfterTaxAmount); NULL = none sent',
    unpaid Nullable(Decimal(38, 12)) COMMENT 'Amount before tax that is still to be paid, in currency (PretaxAmount); 0 for every other kind; NULL = none sent'
)
AS
WITH
    lower(order_type) = 'refund' OR lower(order_sub_type) = 'refundsuborder' AS is_refund,
    NOT is_refund AND lower(payment_status) = 'paid' AS is_paid,
    NOT is_refund AND lower(payment_status) = 'unpaid' AS is_unpaid,
    toDecimal128(0, 12) AS nothing
SELECT
    source, account, owner_id, order_id, item_id, create_time,
    toDate(create_time) AS day,
    multiIf(is_refund, 'refund', lower(payment_status) IN ('paid', 'unpaid', 'cancelled'), lower(payment_status), 'other') AS kind,
    order_type, product_code, product_type, product_name, subscription_type, region, operator, currency,
    if(is_paid, pretax_amount, nothing) AS paid,
    if(is_refund, abs(pretax_amount), nothing) AS refunded,
    multiIf(is_paid, pretax_amount, is_refund, -abs(pretax_amount), nothing) AS net,
    multiIf(is_paid, after_tax_amount, is_refund, -abs(after_tax_amount), nothing) AS net_after_tax,
    if(is_unpaid, pretax_amount, nothing) AS unpaid
FROM order_items
COMMENT 'Money by line item: paid, refunded, unpaid. Cancelled orders count for nothing. Group by currency and anything else; orders whose detail is pending come with it';

-- Orders that wait for their payment. The vendor cancels an unpaid order after seven days, so one that is older than
-- eight and still reads Unpaid is an anomaly: either it was not looked at again, or the vendor forgot it.

CREATE OR REPLACE VIEW unpaid_orders
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade (OrderType); case varies by API',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_name String COMMENT 'Name of the product for people, from the account''s product list (ProductName); empty = not in the list, or no list was loaded',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    age_hours Int64 COMMENT 'Whole hours since then, at the moment of the query',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    is_anomaly UInt8 COMMENT '1 = older than 8 days: the vendor should have cancelled it after 7',
    fetched_at DateTime64(3, 'UTC') COMMENT 'When the order was last seen to change, UTC'
)
AS
SELECT
    source, account, owner_id, order_id, order_type, product_code, product_name, create_time,
    age('hour', create_time, now64(3, 'UTC')) AS age_hours,
    currency, pretax_amount, after_tax_amount,
    create_time < now64(3, 'UTC') - INTERVAL 8 DAY AS is_anomaly,
    fetched_at
FROM orders
WHERE lower(payment_status) = 'unpaid'
COMMENT 'Orders that wait for their payment, with their age; is_anomaly marks those that should have been cancelled by now';
