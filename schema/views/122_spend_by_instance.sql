-- What was paid and given back, by line item and instance: the money of a line is shared exactly by its instances
--
-- A line with several instances has one amount. Each of its instances gets an equal share, cut off after twelve digits, and
-- the last one, by its id, what is left: the shares add up to the line, always. A line that lists none belongs to the
-- instances of the order that it refers to, as a refund or a renewal does, and where that has none either it has one row
-- without an instance. So the sums over this view are those over spend.
WITH
    (amount, parts, part) -> if(part < parts, amount / parts, amount - amount / parts * (parts - 1)) AS share
SELECT
    source, account, owner_id, instance_id, order_id, item_id, related_order_id, create_time, payment_time, day, month, kind,
    order_type, is_refund_order, is_listed, product_code, product_type, product_name, commodity_code, subscription_type,
    is_subscription, region, operator, operator_name, usage_start_time, usage_end_time, currency,
    share(line_net, length(instances), part) AS net,
    share(line_net_after_tax, length(instances), part) AS net_after_tax,
    share(line_list_price, length(instances), part) AS list_price,
    share(line_tax, length(instances), part) AS tax,
    share(line_quantity, length(instances), part) AS quantity
FROM
(
    SELECT
        spend.*,
        spend.net AS line_net, spend.net_after_tax AS line_net_after_tax, spend.list_price AS line_list_price,
        spend.tax AS line_tax, spend.quantity AS line_quantity,
        CAST(notEmpty(spend.instance_ids), 'UInt8') AS is_listed,
        multiIf(
            notEmpty(spend.instance_ids), arraySort(arrayDistinct(spend.instance_ids)),
            notEmpty(origin.instance_ids), arraySort(origin.instance_ids),
            ['']) AS instances
    FROM spend
    LEFT JOIN
    (
        SELECT account, owner_id, order_id, groupUniqArrayArray(instance_ids) AS instance_ids
        FROM order_items
        WHERE (account, order_id) GLOBAL IN
            (SELECT account, related_order_id FROM order_items WHERE empty(instance_ids) AND related_order_id != '')
        GROUP BY account, owner_id, order_id
    ) AS origin
    ON origin.account = spend.account AND origin.owner_id = spend.owner_id AND origin.order_id = spend.related_order_id
    WHERE spend.kind IN ('paid', 'refund')
)
ARRAY JOIN instances AS instance_id, arrayEnumerate(instances) AS part
