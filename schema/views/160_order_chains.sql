-- Orders that refer to one another, each with the order at which its chain begins. Orders that stand alone have no row
--
-- Chains of orders that refer to one another: a purchase, its renewals and upgrades, its refund. Each order refers to one
-- other at most, so each is in one chain at most. A chain begins where an order refers to none, or to one that is not
-- stored.
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
