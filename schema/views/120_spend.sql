-- Money by line item: paid, refunded, unpaid. Cancelled orders count for nothing. Group by currency and anything else;
-- orders whose detail is pending come with it
--
-- What was spent, to be grouped by whatever is asked for. It is made of line items, because only they know region and
-- operator. What counts, and with which sign, is said in billing.
WITH toDecimal128(0, 12) AS nothing
SELECT
    source, account, owner_id, order_id, item_id, create_time,
    toDate(create_time) AS day,
    kind, order_type, product_code, product_type, product_name, subscription_type, region, operator, currency,
    if(kind = 'paid', amount, nothing) AS paid,
    if(kind = 'refund', -amount, nothing) AS refunded,
    if(kind IN ('paid', 'refund'), amount, nothing) AS net,
    if(kind IN ('paid', 'refund'), amount_after_tax, nothing) AS net_after_tax,
    if(kind = 'unpaid', amount, nothing) AS unpaid
FROM billing
