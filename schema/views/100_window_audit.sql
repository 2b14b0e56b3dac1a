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
    ) AS grids
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
    ledger_stored = actual_stored AND ledger_items = actual_items AND ledger_digest = actual_digest AS agrees
FROM sync_windows AS ledger
LEFT JOIN
(
    SELECT
        account,
        owner_id,
        grid.1 AS length,
        second - positiveModulo(second - grid.2, grid.1) AS start,
        sum(is_order) AS orders,
        sum(is_item) AS items,
        groupBitXor(digest) AS digest
    FROM
    (
        SELECT account, owner_id, toUnixTimestamp64Second(create_time) AS second,
            1 AS is_order, 0 AS is_item, xxHash64(order_id) AS digest
        FROM orders
        UNION ALL
        SELECT account, owner_id, toUnixTimestamp64Second(create_time) AS second,
            0 AS is_order, 1 AS is_item, toUInt64(0) AS digest
        FROM order_items
    )
    ARRAY JOIN grids AS grid
    GROUP BY account, owner_id, length, start
) AS actual
ON actual.account = ledger.account AND actual.owner_id = ledger.owner_id
    AND actual.start = toUnixTimestamp64Second(ledger.window_start)
    AND actual.length = toUnixTimestamp64Second(ledger.window_end) - toUnixTimestamp64Second(ledger.window_start)
