-- What was paid and given back, spread over the months of its service: one row per line item and month. The months of a
-- line add up to it
--
-- The money of a subscription is shared by the days of its service period, from the day of its start until the day before
-- that of its end, in the reporting zone. Each month gets its part, cut off after twelve digits, and the last month what is
-- left. What has no period, and what is paid by use, whose end nobody knows, is in the month of its payment, or of its
-- creation where no payment time was sent.
WITH
    is_subscription AND ifNull(usage_end_time > usage_start_time, 0) AS is_spread,
    toInt32(toDate32(if(is_spread, assumeNotNull(usage_start_time), coalesce(payment_time, create_time)), ${zone})) AS first_day,
    if(is_spread, greatest(toInt32(toDate32(assumeNotNull(usage_end_time), ${zone})), first_day + 1), first_day + 1) AS end_day,
    day -> toYear(toDate32(day)) * 12 + toMonth(toDate32(day)) - 1 AS month_of,
    m -> makeDate32(intDiv(m, 12), m % 12 + 1, 1) AS beginning,
    (m, first, end) -> tuple(beginning(m), toUInt32(
        if(m = month_of(end - 1), end, toInt32(beginning(m + 1))) - if(m = month_of(first), first, toInt32(beginning(m))))) AS days_of,
    (amount, months, period) -> arrayMap(
        m -> CAST(toDecimal256(amount, 12) * m.2 / period, 'Decimal(38, 12)'), arraySlice(months, 1, length(months) - 1)) AS cut_off,
    (amount, parts) -> arrayPushBack(parts, CAST(amount - arraySum(parts), 'Decimal(38, 12)')) AS completed
SELECT
    source, account, owner_id, order_id, item_id, related_order_id, create_time, payment_time, kind, order_type, product_code,
    product_type, product_name, subscription_type, region, operator, operator_name, instance_ids, usage_start_time,
    usage_end_time, currency,
    part.1 AS month,
    part.2 AS days,
    if(isNull(line_net), NULL, part_net) AS net,
    if(isNull(line_net_after_tax), NULL, part_net_after_tax) AS net_after_tax
FROM
(
    SELECT
        * EXCEPT (month),
        net AS line_net,
        net_after_tax AS line_net_after_tax,
        assumeNotNull(net) AS known,
        assumeNotNull(net_after_tax) AS known_after_tax,
        toUInt32(end_day - first_day) AS period,
        arrayMap(m -> days_of(m, first_day, end_day), range(month_of(first_day), month_of(end_day - 1) + 1)) AS months,
        completed(known, cut_off(known, months, period)) AS nets,
        completed(known_after_tax, cut_off(known_after_tax, months, period)) AS nets_after_tax
    FROM spend
    WHERE kind IN ('paid', 'refund')
)
ARRAY JOIN months AS part, nets AS part_net, nets_after_tax AS part_net_after_tax
