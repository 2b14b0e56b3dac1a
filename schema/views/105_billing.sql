-- What each line item means in money: its kind and its amount with one sign. spend, subscriptions and
-- order_amount_differences are made of it
--
-- The one place that says what counts. A line gives money back where it is of a refund order (its type says so, its
-- payment status is absent) or is the refund of what an upgrade, a downgrade or the like replaces (its sub-type says so):
-- the price of such an order is the net of its lines. A refund is one only once it is paid: as long as its order is unpaid,
-- it lessens what is to be paid, and with a cancelled order it is nothing. A line need not repeat the status of its order:
-- where it has none, the order is asked, and only a refund order may have none itself. Orders that are not paid are rare, so
-- that set is small. The server looks every line up in it, in a third of the time where the key is one text: no account has a
-- blank in its name.
--
-- Nothing documents the sign with which a refund is sent; here it is below zero. The amount is what is payable before tax
-- (PretaxAmount); where none is known it is what is payable after tax without the tax, and where that is not known either
-- the list price. After tax it is AfterTaxAmount, or the amount before tax with the tax. Every other amount has the same sign
-- as the amount.
WITH
    replaceRegexpAll(lower(order_type), '\\s', '') AS type,
    replaceRegexpAll(lower(order_sub_type), '\\s', '') AS sub_type,
    type = 'refund' OR type = '' AND sub_type = 'refundsuborder' AS refund_order,
    refund_order OR sub_type = 'refundsuborder' AS refund,
    CAST(['paid', 'refund', 'unpaid', 'cancelled', 'other'], 'Array(LowCardinality(String))') AS kinds,
    if(payment_state = 'none', concat(account, ' ', order_id), '') AS asked, -- the order of a line that does not say its status
    word -> concat(asked, word) GLOBAL IN
    (
        SELECT concat(account, ' ', order_id, toString(payment_state)) FROM orders
        WHERE payment_state IN ('unpaid', 'cancelled', 'other') OR payment_state = 'none' AND lower(order_type) != 'refund'
    ) AS order_is,
    multiIf(
        asked = '', transform(payment_state, ['paid', 'unpaid', 'cancelled'], [1, 3, 4], 5),
        order_is('unpaid'), 3,
        order_is('cancelled'), 4,
        order_is('other') OR NOT refund_order AND order_is('none'), 5,
        1) AS state, -- a place in kinds
    coalesce(pretax_amount, after_tax_amount - order_items.tax, pretax_gross_amount) AS before_tax,
    coalesce(after_tax_amount, pretax_amount + order_items.tax) AS after_tax,
    coalesce(order_items.tax, after_tax_amount - pretax_amount) AS tax_amount
SELECT
    source, account, owner_id, order_id, item_id, related_order_id, create_time, order_type, product_code, product_type,
    product_name, subscription_type, region, operator, instance_ids, usage_start_time, usage_end_time,
    upper(replaceRegexpAll(order_items.currency, '\\s', '')) AS currency,
    CAST(refund, 'UInt8') AS is_refund_line,
    CAST(refund_order, 'UInt8') AS is_refund_order,
    CAST(replaceRegexpAll(lower(subscription_type), '\\s', '') IN ('subscription', 'prepaid') OR source = 'domain', 'UInt8') AS is_subscription,
    kinds[if(refund AND state = 1, 2, state)] AS kind,
    if(refund, -abs(before_tax), before_tax) AS amount,
    if(refund, -abs(after_tax), after_tax) AS amount_after_tax,
    order_sub_type, commodity_code, quantity, payment_time, payment_currency,
    if(refund, -abs(pretax_gross_amount), pretax_gross_amount) AS list_price,
    list_price - amount AS discount,
    if(refund, -abs(tax_amount), tax_amount) AS tax,
    if(refund, -abs(pretax_amount_local), pretax_amount_local) AS amount_local
FROM order_items
