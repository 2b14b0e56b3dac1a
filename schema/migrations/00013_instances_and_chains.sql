-- +goose NO TRANSACTION
-- +goose Up

-- Which orders an instance comes from, and which instances an order made. Amounts are left out on purpose: a line's
-- amount is for all of its instances, and would be counted once for each here (I9).

CREATE OR REPLACE VIEW order_instances
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    instance_id String COMMENT 'Id of an instance that the line is about (one of InstanceIDs)',
    order_id String COMMENT 'Order id as received (OrderId)',
    item_id String COMMENT 'Line item id as received (BSS: SubOrderId)',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    order_sub_type LowCardinality(String) COMMENT 'Type of the line as received, such as ProductSubOrder (OrderSubType)',
    payment_status LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_name String COMMENT 'Name of the product for people, from the account''s product list (ProductName); empty = not in the list, or no list was loaded',
    region LowCardinality(String) COMMENT 'Region id (Region)',
    operator String COMMENT 'Id of the RAM user who placed the order (Operator); empty = none sent',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    usage_start_time Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the service period, UTC (UsageStartTime); NULL = none sent',
    usage_end_time Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the service period, UTC (UsageEndTime); pay-as-you-go ends about 100 years on; NULL = none sent'
)
AS
SELECT
    source, account, owner_id, instance_id, order_id, item_id, order_type, order_sub_type, payment_status, product_code,
    product_name, region, operator, create_time, usage_start_time, usage_end_time
FROM order_items
ARRAY JOIN arrayDistinct(instance_ids) AS instance_id
COMMENT 'One row per line item and instance: which orders an instance comes from. Lines without instances have no row';

-- Until when each subscribed instance is paid for: the latest end among its paid lines. A line does not count once a
-- later refund lists the instance or, where a refund lists none, refers to the order. A renewal is such a line itself, with a
-- later end. A line without instances stands for itself. Only what has not ended for 30 days is read, so that a long
-- past costs little.

CREATE OR REPLACE VIEW subscriptions
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    instance_id String COMMENT 'Id of the instance (one of InstanceIDs); empty where the line lists none, as resource packages do',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_name String COMMENT 'Name of the product for people, from the account''s product list (ProductName); empty = not in the list, or no list was loaded',
    region LowCardinality(String) COMMENT 'Region id (Region)',
    service_end DateTime64(3, 'UTC') COMMENT 'Until when the service is paid for, UTC: the latest UsageEndTime of the instance''s paid lines that were not refunded since',
    days_left Int64 COMMENT 'Days from today until then, by the calendar of UTC; negative = it ended',
    order_id String COMMENT 'The order that the end comes from (OrderId): the newest renewal, or the first purchase',
    item_id String COMMENT 'Its line item (BSS: SubOrderId)',
    order_type LowCardinality(String) COMMENT 'Its type as received, such as New or Renew (OrderType); case varies by API',
    create_time DateTime64(3, 'UTC') COMMENT 'When that order was created, UTC (CreateTime)',
    orders UInt64 COMMENT 'Orders that paid for the instance and reach to within 30 days of now'
)
AS
WITH
    lower(order_type) = 'refund' OR lower(order_sub_type) = 'refundsuborder' AS is_refund
SELECT
    any(lines.source) AS source,
    lines.account AS account,
    lines.owner_id AS owner_id,
    lines.instance_id AS instance_id,
    argMax(lines.product_code, lines.rank) AS product_code,
    argMax(lines.product_name, lines.rank) AS product_name,
    argMax(lines.region, lines.rank) AS region,
    max(lines.usage_end_time) AS service_end,
    dateDiff('day', now64(3, 'UTC'), service_end, 'UTC') AS days_left,
    argMax(lines.order_id, lines.rank) AS order_id,
    argMax(lines.item_id, lines.rank) AS item_id,
    argMax(lines.order_type, lines.rank) AS order_type,
    argMax(lines.create_time, lines.rank) AS create_time,
    uniqExact(lines.order_id) AS orders
FROM
(
    SELECT
        source, account, owner_id, order_id, item_id, order_type, product_code, product_name, region, create_time,
        assumeNotNull(usage_end_time) AS usage_end_time,
        tuple(usage_end_time, create_time, item_id) AS rank,
        instance_id,
        if(instance_id = '', item_id, '') AS alone
    FROM order_items
    ARRAY JOIN if(empty(instance_ids), [''], arrayDistinct(instance_ids)) AS instance_id
    WHERE NOT is_refund AND lower(payment_status) = 'paid' AND lower(subscription_type) = 'subscription'
        AND order_items.usage_end_time > now64(3, 'UTC') - INTERVAL 30 DAY
) AS lines
LEFT JOIN
(
    SELECT account, owner_id, instance_id, max(create_time) AS refunded_at
    FROM order_items
    ARRAY JOIN instance_ids AS instance_id
    WHERE is_refund
    GROUP BY account, owner_id, instance_id
) AS refunds_of_instances
ON refunds_of_instances.account = lines.account AND refunds_of_instances.owner_id = lines.owner_id
    AND refunds_of_instances.instance_id = lines.instance_id
LEFT JOIN
(
    SELECT account, owner_id, related_order_id, max(create_time) AS refunded_at
    FROM order_items
    WHERE is_refund AND empty(instance_ids) AND related_order_id != ''
    GROUP BY account, owner_id, related_order_id
) AS refunds_of_orders
ON refunds_of_orders.account = lines.account AND refunds_of_orders.owner_id = lines.owner_id
    AND refunds_of_orders.related_order_id = lines.order_id
WHERE coalesce(refunds_of_instances.refunded_at, toDateTime64(0, 3, 'UTC')) <= lines.create_time
    AND coalesce(refunds_of_orders.refunded_at, toDateTime64(0, 3, 'UTC')) <= lines.create_time
GROUP BY account, owner_id, instance_id, alone
COMMENT 'Subscribed instances that are in service, or ended within the last 30 days, one row each, with the day until which they are paid for';

-- Chains of orders that refer to one another: a purchase, its renewals and upgrades, its refund. Each order refers to one
-- other at most, so each is in one chain at most. A chain begins where an order refers to none, or to one that is not
-- stored.

CREATE OR REPLACE VIEW order_chains
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    root_order_id String COMMENT 'The order at which the chain begins: the same for all of its orders',
    depth UInt64 COMMENT 'How many steps the order is away from the beginning: 0 = it is the beginning',
    order_id String COMMENT 'Order id as received (OrderId)',
    related_order_id String COMMENT 'Order that this one refers to (RelatedOrderId); of a beginning it is empty or not stored',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    payment_status LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency, with the vendor''s sign (PretaxAmount); NULL = none sent',
    after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency, with the vendor''s sign (AfterTaxAmount); NULL = none sent'
)
AS
WITH RECURSIVE chain AS
(
    SELECT
        source, account, owner_id, order_id AS root_order_id, toUInt64(0) AS depth, order_id, related_order_id, order_type,
        payment_status, product_code, create_time, currency, pretax_amount, after_tax_amount
    FROM orders
    WHERE (account, order_id) IN (SELECT account, related_order_id FROM orders WHERE related_order_id != '')
        AND (related_order_id = '' OR (account, related_order_id) NOT IN
        (
            SELECT account, order_id
            FROM orders
            WHERE (account, order_id) IN (SELECT account, related_order_id FROM orders WHERE related_order_id != '')
        ))
    UNION ALL
    SELECT
        o.source, o.account, o.owner_id, chain.root_order_id, chain.depth + 1, o.order_id, o.related_order_id, o.order_type,
        o.payment_status, o.product_code, o.create_time, o.currency, o.pretax_amount, o.after_tax_amount
    FROM orders AS o
    INNER JOIN chain ON chain.account = o.account AND chain.order_id = o.related_order_id
)
SELECT *
FROM chain
COMMENT 'Orders that refer to one another, each with the order at which its chain begins. Orders that stand alone have no row';
