-- What moved in a closed month since its last close, one row per order and currency: money and state of then and of now
--
-- Only an order of which something was received since can have moved, so that a month with few changes costs little. Moved is
-- what a digest would tell: an amount, its kind, its currency, a time, or what it is counted under. The amounts are those of the
-- whole order; lines has the line items that moved, and changed says in what, "lines" where one came or went. An order that has
-- no lines on one side, since it was not there or its detail came late, has no kind there and counts for nothing. Months that
-- were closed in another reporting zone are here when they were closed in this one.
SELECT
    month, closed_at,
    argMax(line_source, is) AS source,
    account, owner_id, order_id,
    argMax(line_create_time, is) AS create_time,
    argMax(line_order_type, is) AS order_type,
    argMax(line_product_code, is) AS product_code,
    currency,
    multiIf(NOT max(was), 'added', NOT max(is), 'removed', 'changed') AS change,
    arraySort(groupUniqArrayArray(differing)) AS changed,
    arrayStringConcat(arraySort(groupUniqArrayIf(toString(line_old_kind), was)), ', ') AS old_kind,
    arrayStringConcat(arraySort(groupUniqArrayIf(toString(line_kind), is)), ', ') AS kind,
    if(max(was), sum(line_old_net), 0) AS old_net,
    if(max(is), sum(line_net), 0) AS net,
    ifNull(net, 0) - ifNull(old_net, 0) AS difference,
    if(max(was), sum(line_old_net_after_tax), 0) AS old_net_after_tax,
    if(max(is), sum(line_net_after_tax), 0) AS net_after_tax,
    if(max(was), sum(line_old_unpaid), 0) AS old_unpaid,
    if(max(is), sum(line_unpaid), 0) AS unpaid,
    arraySort(groupArrayIf(
        CAST(tuple(item_id, line_old_kind, line_kind, line_old_net, line_net, line_old_unpaid, line_unpaid), 'Tuple(item_id String,
            old_kind String, kind String, old_net Nullable(Decimal(38, 12)), net Nullable(Decimal(38, 12)),
            old_unpaid Nullable(Decimal(38, 12)), unpaid Nullable(Decimal(38, 12)))'),
        notEmpty(differing))) AS lines
FROM
(
    SELECT
        month, closed_at, account, owner_id, order_id, item_id, currency,
        countIf(NOT is_now) > 0 AS was,
        countIf(is_now) > 0 AS is,
        argMax(side.source, is_now) AS line_source,
        argMax(side.create_time, is_now) AS line_create_time,
        argMax(side.order_type, is_now) AS line_order_type,
        argMax(side.product_code, is_now) AS line_product_code,
        anyIf(side.kind, NOT is_now) AS line_old_kind, anyIf(side.kind, is_now) AS line_kind,
        sumIf(side.net, NOT is_now) AS line_old_net, sumIf(side.net, is_now) AS line_net,
        sumIf(side.net_after_tax, NOT is_now) AS line_old_net_after_tax, sumIf(side.net_after_tax, is_now) AS line_net_after_tax,
        sumIf(side.unpaid, NOT is_now) AS line_old_unpaid, sumIf(side.unpaid, is_now) AS line_unpaid,
        if(was AND is,
            arrayFilter((name, old, new) -> old != new, ${fact_names}, anyIf(facts, NOT is_now), anyIf(facts, is_now)),
            ['lines']) AS differing
    FROM
    (
        SELECT *, ${closed_at} AS closed_at, ${facts} AS facts, 0 AS is_now FROM spend_at_close
        UNION ALL
        SELECT *, ${closed_at} AS closed_at, ${facts} AS facts, 1 AS is_now FROM spend
    ) AS side
    WHERE toUnixTimestamp64Milli(closed_at) > 0 AND order_id GLOBAL IN
    (
        SELECT order_id
        FROM
        (
            SELECT order_id, create_time, fetched_at FROM order_versions
            UNION ALL SELECT order_id, create_time, fetched_at FROM order_rows
            UNION ALL SELECT order_id, create_time, fetched_at FROM order_item_versions
            UNION ALL SELECT order_id, create_time, fetched_at FROM order_item_rows
        )
        WHERE fetched_at > ${closed_at} AND toUnixTimestamp64Milli(${closed_at}) > 0
    )
    GROUP BY month, closed_at, account, owner_id, order_id, item_id, currency
)
GROUP BY month, closed_at, account, owner_id, order_id, currency
HAVING notEmpty(changed)
