-- +goose NO TRANSACTION
-- +goose Up

-- "Is my copy whole?" in one query and without any API call: what the ledger recorded of each window against what is
-- stored now. The orders are read once, whatever the number of windows. It finds rows that were deleted, that were added
-- or doubled, and that moved to another window or id.

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
    agrees UInt8 COMMENT '1 = the copy holds exactly what the ledger recorded: count, items and digest are equal'
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
COMMENT 'For every window of the ledger: does the copy still hold what was recorded? Rows with agrees = 0 need a look';

-- Do the line items add up to their order? Every order whose detail is there has a row; those with a difference other
-- than zero are worth a look, and so are those without items.

CREATE OR REPLACE VIEW order_amount_differences
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    items UInt64 COMMENT 'Line items of the order',
    pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax by the order, in currency',
    items_pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Sum of the items'' amounts payable before tax, in currency; NULL = no item has one',
    difference Nullable(Decimal(38, 12)) COMMENT 'pretax_amount minus items_pretax_amount, in currency; NULL = one of them is not known',
    after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount after tax by the order, in currency',
    items_after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Sum of the items'' amounts after tax, in currency; NULL = no item has one',
    after_tax_difference Nullable(Decimal(38, 12)) COMMENT 'after_tax_amount minus items_after_tax_amount, in currency; NULL = one of them is not known'
)
AS
SELECT
    orders.source AS source,
    orders.account AS account,
    orders.owner_id AS owner_id,
    orders.order_id AS order_id,
    orders.order_type AS order_type,
    orders.create_time AS create_time,
    orders.currency AS currency,
    sums.items AS items,
    orders.pretax_amount AS pretax_amount,
    sums.pretax_amount AS items_pretax_amount,
    pretax_amount - items_pretax_amount AS difference,
    orders.after_tax_amount AS after_tax_amount,
    sums.after_tax_amount AS items_after_tax_amount,
    after_tax_amount - items_after_tax_amount AS after_tax_difference
FROM orders
LEFT JOIN
(
    SELECT account, create_time, order_id, count() AS items,
        sum(pretax_amount) AS pretax_amount, sum(after_tax_amount) AS after_tax_amount
    FROM order_items
    GROUP BY account, create_time, order_id
) AS sums
ON sums.account = orders.account AND sums.create_time = orders.create_time AND sums.order_id = orders.order_id
WHERE orders.detail_status = 'ok'
COMMENT 'For every order with its detail: its amounts against the sums over its line items';
