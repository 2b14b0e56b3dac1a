-- Since when the states of an account's orders and line items are known: the _as_of views refuse a moment before that
--
-- Orders have a history since their first sync. So have line items, but for those of a warehouse that is older than their
-- history.
SELECT
    account,
    min(first) AS orders_since,
    greatest(min(first), max(start)) AS items_since
FROM
(
    SELECT account, min(fetched_at) AS first, toDateTime64(0, 3, 'UTC') AS start
    FROM order_versions
    GROUP BY account
    UNION ALL
    SELECT account, toDateTime64('2299-12-31 00:00:00', 3, 'UTC') AS first, max(since) AS start
    FROM item_history_starts
    GROUP BY account
)
GROUP BY account
