-- +goose NO TRANSACTION
-- +goose Up

-- What the listing of a window was narrowed to is part of what its row proves: a window that is complete for one product
-- says nothing of the others (I12). Windows of before were not narrowed.

ALTER TABLE sync_window_rows
    ADD COLUMN IF NOT EXISTS filters LowCardinality(String) COMMENT 'What the listing of the window was narrowed to (configuration: accounts[].filters), as product_code=rds; empty = all orders';

CREATE OR REPLACE VIEW sync_windows
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the window, inclusive, UTC',
    window_end DateTime64(3, 'UTC') COMMENT 'End of the window, exclusive, UTC',
    verdict LowCardinality(String) COMMENT 'complete, open (not past yet), short (the counts do not agree) or failed',
    listed UInt32 COMMENT 'Orders that the listing showed inside the window',
    stored UInt32 COMMENT 'Orders of the window that are stored',
    items UInt32 COMMENT 'Line items of these orders',
    rejected UInt32 COMMENT 'Records of the window that could not become rows, see rejects',
    pending UInt32 COMMENT 'Stored orders whose detail is still to be fetched',
    id_digest UInt64 COMMENT 'XOR of xxHash64 over the ids of the stored orders; groupBitXor(xxHash64(order_id)) over orders must agree',
    listing_start Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the listing that covered the window, UTC; it may cover many windows',
    listing_end Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the listing that covered the window, UTC',
    total_first UInt32 COMMENT 'TotalCount of the listing when it was first read',
    total_last UInt32 COMMENT 'TotalCount of the listing when it was last read',
    pages UInt32 COMMENT 'Pages read; the pages of a listing are shared out over its windows',
    list_calls UInt32 COMMENT 'List calls made, shared out in the same way',
    detail_calls UInt32 COMMENT 'Detail calls made',
    attempts UInt32 COMMENT 'Walks of this window since it was last complete',
    error String COMMENT 'What went wrong, for a person; empty = nothing',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk began, UTC',
    finished_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk ended, UTC',
    version UInt64 COMMENT 'Of the rows of one window the highest version is the current one',
    filters LowCardinality(String) COMMENT 'What the listing of the window was narrowed to (configuration: accounts[].filters), as product_code=rds; empty = all orders'
)
AS
SELECT
    source, account, owner_id, window_start, window_end, verdict, listed, stored, items, rejected, pending, id_digest,
    listing_start, listing_end, total_first, total_last, pages, list_calls, detail_calls, attempts, error, started_at,
    finished_at, version, filters
FROM sync_window_rows FINAL
COMMENT 'The ledger: one row per account, owner and window, with counts, digest and verdict';

-- As before, but of the orders only those are counted that the window was narrowed to.

CREATE OR REPLACE VIEW window_audit
(
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the window, inclusive, UTC',
    window_end DateTime64(3, 'UTC') COMMENT 'End of the window, exclusive, UTC',
    verdict LowCardinality(String) COMMENT 'complete, open (not past yet), short (the counts do not agree) or failed',
    ledger_stored UInt64 COMMENT 'Orders of the window by the ledger',
    actual_stored UInt64 COMMENT 'Orders of the window that are stored now',
    ledger_items UInt64 COMMENT 'Line items of the window by the ledger',
    actual_items UInt64 COMMENT 'Line items of the window that are stored now',
    ledger_digest UInt64 COMMENT 'XOR of xxHash64 over the order ids, by the ledger',
    actual_digest UInt64 COMMENT 'XOR of xxHash64 over the order ids that are stored now',
    agrees UInt8 COMMENT '1 = the copy holds exactly what the ledger recorded: count, items and digest are equal',
    filters LowCardinality(String) COMMENT 'What the listing of the window was narrowed to; only orders that match are counted. Empty = all orders'
)
AS
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
COMMENT 'For every window of the ledger: does the copy still hold what was recorded? Rows with agrees = 0 need a look';
