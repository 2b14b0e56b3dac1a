-- One row per line item and instance: which orders an instance comes from. Lines without instances have no row
--
-- Which orders an instance comes from, and which instances an order made. Amounts are left out on purpose: a line's
-- amount is for all of its instances, and would be counted once for each here (I9).
SELECT
    source, account, owner_id, instance_id, order_id, item_id, order_type, order_sub_type, payment_status, product_code,
    product_name, region, operator, create_time, usage_start_time, usage_end_time
FROM order_items
ARRAY JOIN arrayDistinct(instance_ids) AS instance_id
