-- For every order with its detail: its amounts against the sums over its line items
--
-- Do the line items add up to their order? Every order whose detail is there has a row; those with a difference other
-- than zero are worth a look, and so are those without items. Lines have the sign that they have in billing, and so has
-- the amount of a refund order before it is compared.
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
    if(sums.is_refund_order, -abs(orders.pretax_amount), orders.pretax_amount) - items_pretax_amount AS difference,
    orders.after_tax_amount AS after_tax_amount,
    sums.after_tax_amount AS items_after_tax_amount,
    if(sums.is_refund_order, -abs(orders.after_tax_amount), orders.after_tax_amount) - items_after_tax_amount AS after_tax_difference
FROM orders
LEFT JOIN
(
    SELECT account, create_time, order_id, count() AS items, max(is_refund_order) AS is_refund_order,
        sum(amount) AS pretax_amount, sum(amount_after_tax) AS after_tax_amount
    FROM billing
    GROUP BY account, create_time, order_id
) AS sums
ON sums.account = orders.account AND sums.create_time = orders.create_time AND sums.order_id = orders.order_id
WHERE orders.detail_status = 'ok'
