-- Money by line item: paid, refunded, unpaid. Cancelled orders count for nothing. Group by currency and anything else;
-- orders whose detail is pending come with it
--
-- What was spent, to be grouped by whatever is asked for. It is made of line items, because only they know region and
-- operator. The details spell enumerations in lower case at times, so spelling is not compared. The vendor does not
-- document which sign a refund has; here it is always money that came back.
WITH
    lower(order_type) = 'refund' OR lower(order_sub_type) = 'refundsuborder' AS is_refund,
    NOT is_refund AND lower(payment_status) = 'paid' AS is_paid,
    NOT is_refund AND lower(payment_status) = 'unpaid' AS is_unpaid,
    toDecimal128(0, 12) AS nothing
SELECT
    source, account, owner_id, order_id, item_id, create_time,
    toDate(create_time) AS day,
    toLowCardinality(multiIf(is_refund, 'refund', lower(payment_status) IN ('paid', 'unpaid', 'cancelled'), lower(payment_status), 'other')) AS kind,
    order_type, product_code, product_type, product_name, subscription_type, region, operator, currency,
    if(is_paid, pretax_amount, nothing) AS paid,
    if(is_refund, abs(pretax_amount), nothing) AS refunded,
    multiIf(is_paid, pretax_amount, is_refund, -abs(pretax_amount), nothing) AS net,
    multiIf(is_paid, after_tax_amount, is_refund, -abs(after_tax_amount), nothing) AS net_after_tax,
    if(is_unpaid, pretax_amount, nothing) AS unpaid
FROM order_items
