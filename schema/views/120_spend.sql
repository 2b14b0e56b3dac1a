-- Money by line item: paid, refunded, unpaid, and all that one asks of it. Cancelled orders count for nothing. Group by
-- currency and anything else; orders whose detail is pending come with it
--
-- What was spent, to be grouped by whatever is asked for. It is made of line items, because only they know region and
-- operator. What counts, and with which sign, is said in billing. All amounts but unpaid are of what is paid or given back,
-- so that each can be added up as it is, and list_price - discount = net, net + tax = net_after_tax. billing has the amounts
-- of every line, whatever its kind.
WITH
    toDecimal128(0, 12) AS nothing,
    kind IN ('paid', 'refund') AS counts,
    (SELECT tuple(groupArray(id), groupArray(name)) FROM operators FINAL) AS operator_list
SELECT
    source, account, owner_id, order_id, item_id, create_time,
    toDate(create_time, ${zone}) AS day,
    kind, order_type, product_code, product_type, product_name, subscription_type, region, operator, currency,
    if(kind = 'paid', amount, nothing) AS paid,
    if(kind = 'refund', -amount, nothing) AS refunded,
    if(counts, amount, nothing) AS net,
    if(counts, amount_after_tax, nothing) AS net_after_tax,
    if(kind = 'unpaid', amount, nothing) AS unpaid,
    toStartOfMonth(day) AS month,
    payment_time, related_order_id, order_sub_type, commodity_code, instance_ids, quantity, usage_start_time, usage_end_time,
    is_subscription, is_refund_order,
    transform(operator, operator_list.1, operator_list.2, '') AS operator_name,
    if(counts, billing.list_price, nothing) AS list_price,
    if(counts, billing.discount, nothing) AS discount,
    if(counts, billing.tax, nothing) AS tax,
    if(counts, amount_local, nothing) AS net_local,
    payment_currency,
    if(kind = 'unpaid', amount_after_tax, nothing) AS unpaid_after_tax
FROM billing
