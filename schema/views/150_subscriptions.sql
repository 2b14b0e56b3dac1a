-- Subscribed instances that are in service, or ended within the last 30 days, one row each, with the day until which
-- they are paid for
--
-- Until when each subscribed instance is paid for: the latest end among its paid lines. A line does not count once a
-- later refund order lists the instance or, where it lists none, refers to the order; the refund of what an upgrade
-- replaces ends nothing. A renewal is such a line itself, with a later end. A line without instances stands for itself. One
-- that has a start and no end is of a service that never ends; one that has neither was not delivered yet. Only what has
-- not ended for 30 days is read, so that a long past costs little.
WITH toDateTime64('2299-12-31 23:59:59', 3, 'UTC') AS never
SELECT
    any(lines.source) AS source,
    lines.account AS account,
    lines.owner_id AS owner_id,
    lines.instance_id AS instance_id,
    argMax(lines.product_code, lines.rank) AS product_code,
    argMax(lines.product_name, lines.rank) AS product_name,
    argMax(lines.region, lines.rank) AS region,
    nullIf(max(lines.until), never) AS service_end,
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
        ifNull(usage_end_time, never) AS until,
        tuple(until, create_time, item_id) AS rank,
        instance_id,
        if(instance_id = '', item_id, '') AS alone
    FROM billing
    ARRAY JOIN if(empty(instance_ids), [''], arrayDistinct(instance_ids)) AS instance_id
    WHERE kind = 'paid' AND is_subscription
        AND if(isNull(usage_end_time), isNotNull(usage_start_time), usage_end_time > now64(3, 'UTC') - INTERVAL 30 DAY)
) AS lines
LEFT JOIN
(
    SELECT account, owner_id, instance_id, max(create_time) AS refunded_at
    FROM billing
    ARRAY JOIN instance_ids AS instance_id
    WHERE kind = 'refund' AND is_refund_order
    GROUP BY account, owner_id, instance_id
) AS refunds_of_instances
ON refunds_of_instances.account = lines.account AND refunds_of_instances.owner_id = lines.owner_id
    AND refunds_of_instances.instance_id = lines.instance_id
LEFT JOIN
(
    SELECT account, owner_id, related_order_id, max(create_time) AS refunded_at
    FROM billing
    WHERE kind = 'refund' AND is_refund_order AND empty(instance_ids) AND related_order_id != ''
    GROUP BY account, owner_id, related_order_id
) AS refunds_of_orders
ON refunds_of_orders.account = lines.account AND refunds_of_orders.owner_id = lines.owner_id
    AND refunds_of_orders.related_order_id = lines.order_id
WHERE coalesce(refunds_of_instances.refunded_at, toDateTime64(0, 3, 'UTC')) <= lines.create_time
    AND coalesce(refunds_of_orders.refunded_at, toDateTime64(0, 3, 'UTC')) <= lines.create_time
GROUP BY account, owner_id, instance_id, alone
