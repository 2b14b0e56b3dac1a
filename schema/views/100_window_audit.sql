-- For every window of the ledger: does the copy still hold what was recorded? Rows with agrees = 0 need a look
--
-- "Is my copy whole?" in one query and without any API call: what the ledger recorded of each window against what is
-- stored now. The orders are read once, whatever the number of windows. It finds rows that were deleted, that were added
-- or doubled, and that moved to another window or id.
WITH
    -- The lengths of the ledger's windows, each with the second of its grid at which windows begin. There is one, and
    -- a second one where the configured length was changed: each order is counted once for every grid.
    (
        SELECT groupUniqArray(tuple(length, positiveModulo(start, length)))
        FROM
        (
            SELECT
                toUnixTimestamp64Second(window_start) AS start,
                toUnixTimestamp64Second(window_end) - start AS length
            FROM sync_windows
            WHERE window_end > window_start
        )
    ) AS grids,
    -- What the windows of an account were narrowed to, where they were. An order is counted once for all windows that were
    -- not, and once for each of these that leave it.
    (
        SELECT groupUniqArray(tuple(toString(account), toString(filters))) FROM sync_windows WHERE filters != ''
    ) AS narrowed
SELECT
    ledger.account AS account,
    ledger.owner_id AS owner_id,
    ledger.window_start AS window_start,
    ledger.window_end AS window_end,
    ledger.verdict AS verdict,
    ledger.stored AS ledger_stored,
    actual.orders AS actual_stored,
    ledger.items AS ledger_items,
    actual.items AS actual_items,
    ledger.id_digest AS ledger_digest,
    actual.digest AS actual_digest,
    ledger_stored = actual_stored AND ledger_items = actual_items AND ledger_digest = actual_digest AS agrees,
    ledger.filters AS filters
FROM sync_windows AS ledger
LEFT JOIN
(
    SELECT
        account,
        owner_id,
        filters,
        grid.1 AS length,
        second - positiveModulo(second - grid.2, grid.1) AS start,
        sum(is_order) AS orders,
        sum(is_item) AS items,
        groupBitXor(digest) AS digest
    FROM
    (
        SELECT account, owner_id, toUnixTimestamp64Second(create_time) AS second,
            1 AS is_order, 0 AS is_item, xxHash64(order_id) AS digest, '' AS filters
        FROM orders
        UNION ALL
        SELECT account, owner_id, toUnixTimestamp64Second(create_time) AS second,
            0 AS is_order, 1 AS is_item, toUInt64(0) AS digest, '' AS filters
        FROM order_items
        UNION ALL
        SELECT account, owner_id, second, 1 AS is_order, 0 AS is_item, digest, arrayJoin(left) AS filters
        FROM
        (
            SELECT account, owner_id, toUnixTimestamp64Second(create_time) AS second, xxHash64(order_id) AS digest,
                arrayMap(n -> n.2, arrayFilter(n -> n.1 = account AND hasAll(
                    [concat('product_code=', lower(product_code)), concat('product_type=', lower(product_type)),
                        concat('subscription_type=', lower(subscription_type)), concat('order_type=', lower(order_type))],
                    splitByString(', ', lower(n.2))), narrowed)) AS left
            FROM orders
            WHERE has(arrayMap(n -> n.1, narrowed), toString(account))
        )
        UNION ALL
        SELECT order_items.account AS account, order_items.owner_id AS owner_id,
            toUnixTimestamp64Second(order_items.create_time) AS second, 0 AS is_order, 1 AS is_item, toUInt64(0) AS digest,
            arrayJoin(listed.left) AS filters
        FROM order_items
        INNER JOIN
        (
            SELECT account, owner_id, create_time, order_id,
                arrayMap(n -> n.2, arrayFilter(n -> n.1 = account AND hasAll(
                    [concat('product_code=', lower(product_code)), concat('product_type=', lower(product_type)),
                        concat('subscription_type=', lower(subscription_type)), concat('order_type=', lower(order_type))],
                    splitByString(', ', lower(n.2))), narrowed)) AS left
            FROM orders
            WHERE has(arrayMap(n -> n.1, narrowed), toString(account))
        ) AS listed
        ON listed.account = order_items.account AND listed.owner_id = order_items.owner_id
            AND listed.create_time = order_items.create_time AND listed.order_id = order_items.order_id
    )
    ARRAY JOIN grids AS grid
    GROUP BY account, owner_id, filters, length, start
) AS actual
ON actual.account = ledger.account AND actual.owner_id = ledger.owner_id AND actual.filters = ledger.filters
    AND actual.start = toUnixTimestamp64Second(ledger.window_start)
    AND actual.length = toUnixTimestamp64Second(ledger.window_end) - toUnixTimestamp64Second(ledger.window_start)
