-- What each instance has cost so far, one row per instance and currency: since when, until when, by which orders, and who
-- placed the last one
--
-- Money of a line with several instances is shared as spend_by_instance does it, so that the costs add up to what was spent.
-- A line that belongs to no instance, as a resource package, stands for itself. An instance is in service until the latest
-- end of its paid lines; a refund order ends, when it is created, what was ordered before: all of it where it lists the
-- instance, and the order that it refers to where it lists none. Of what is paid by use nobody knows the end.
WITH
    toDateTime64('2299-12-31 23:59:59', 3, 'UTC') AS never,
    toDateTime64(0, 3, 'UTC') AS unknown,
    groupArrayIf(tuple(create_time, end, order_id), kind = 'paid') AS ends,
    groupArrayIf(tuple(create_time, if(is_listed, '', related_order_id)), kind = 'refund' AND is_refund_order) AS refunds
SELECT
    any(source) AS source,
    account, owner_id, instance_id,
    argMax(product_code, rank) AS product_code,
    argMax(product_type, rank) AS product_type,
    argMax(product_name, rank) AS product_name,
    argMax(subscription_type, rank) AS subscription_type,
    argMax(region, rank) AS region,
    currency,
    sum(net) AS cost,
    sum(net_after_tax) AS cost_after_tax,
    coalesce(minIf(toNullable(coalesce(usage_start_time, create_time)), kind = 'paid'), min(create_time)) AS since,
    nullIf(nullIf(arrayMax(arrayMap(e -> arrayMin(arrayPushBack(arrayMap(r -> r.1,
        arrayFilter(r -> r.1 >= e.1 AND (r.2 = '' OR r.2 = e.3), refunds)), e.2)), ends)), never), unknown) AS until,
    uniqExact(order_id) AS orders,
    arraySort(groupUniqArray(order_id)) AS order_ids,
    argMax(order_id, rank) AS last_order_id,
    max(create_time) AS last_ordered_at,
    argMaxIf(lines.operator, rank, lines.operator != '') AS operator,
    argMaxIf(lines.operator_name, rank, lines.operator != '') AS operator_name
FROM
(
    SELECT
        *,
        tuple(create_time, order_id, item_id) AS rank,
        if(instance_id = '', rank, tuple(unknown, '', '')) AS alone,
        multiIf(
            NOT is_subscription, never,
            isNotNull(usage_end_time), assumeNotNull(usage_end_time),
            isNotNull(usage_start_time), never,
            unknown) AS end
    FROM spend_by_instance
) AS lines
GROUP BY account, owner_id, instance_id, alone, currency
