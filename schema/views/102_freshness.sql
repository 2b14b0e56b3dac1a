-- How stale each window can be: when its orders were last listed, compared and detailed, and the bounds that follow
--
-- No vendor can be asked what was modified, so a change is seen when an order is looked at again. The state and the amounts of an
-- order are in its list row, its instances and the amounts of its lines in its detail alone. A change of before the last look is in the
-- copy; so the time since then is how old a change can be that is not. An order that waits for its payment, or is young, is looked at
-- far more often than its window says. What is worst of an account is the largest of each.
--
-- It reads the ledger alone, where there is one: of an account whose orders cannot be listed it reads the orders, by hours.
SELECT
    source, account, owner_id, window_start, window_end, last_listed, last_compared, oldest_detail,
    age('second', last_compared, now64(3, 'UTC')) AS status_seconds,
    age('second', last_compared, now64(3, 'UTC')) AS amounts_seconds,
    age('second', oldest_detail, now64(3, 'UTC')) AS instances_seconds
FROM
(
    SELECT
        source, account, owner_id, window_start, window_end,
        finished_at AS last_listed,
        ifNull(listed_at, if(verdict IN ('complete', 'open'), finished_at, NULL)) AS last_compared,
        detailed_at AS oldest_detail
    FROM sync_window_rows FINAL
    UNION ALL
    SELECT
        any(orders.source), orders.account, orders.owner_id,
        toDateTime64(toStartOfHour(orders.create_time), 3, 'UTC') AS window_start,
        window_start + INTERVAL 1 HOUR AS window_end,
        CAST(NULL, 'Nullable(DateTime64(3, \'UTC\'))') AS last_listed,
        toNullable(min(greatest(orders.fetched_at, checks.checked_at))) AS last_compared,
        last_compared AS oldest_detail
    FROM
    (
        SELECT source, account, owner_id, order_id, create_time, fetched_at FROM order_rows FINAL
        WHERE account GLOBAL NOT IN (SELECT DISTINCT account FROM sync_window_rows) AND detail_status = 'ok'
    ) AS orders
    GLOBAL LEFT JOIN
    (
        SELECT account, create_time, order_id, max(checked_at) AS checked_at FROM detail_check_rows
        WHERE account GLOBAL NOT IN (SELECT DISTINCT account FROM sync_window_rows)
        GROUP BY account, create_time, order_id
    ) AS checks
    ON checks.account = orders.account AND checks.create_time = orders.create_time AND checks.order_id = orders.order_id
    GROUP BY orders.account, orders.owner_id, window_start
)
