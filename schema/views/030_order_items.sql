-- Current line items of every order, one row each
WITH
    (
        SELECT tuple(
            groupArray(cityHash64(account, product_code, product_type, lower(subscription_type))),
            groupArray(product_name))
        FROM products
    ) AS product_list
SELECT
    source, account, owner_id, order_id, item_id, related_order_id, order_type, order_sub_type, payment_status,
    product_code, product_type, commodity_code, subscription_type, create_time, payment_time, currency,
    payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount, instance_ids,
    region, quantity, config, original_config, operator, usage_start_time, usage_end_time, extend_infos,
    bill_module_config, original_module_config, fetched_at, version, raw,
    transform(cityHash64(account, product_code, product_type, lower(subscription_type)), product_list.1, product_list.2, '')
        AS product_name,
    toLowCardinality(${state}) AS payment_state
FROM order_item_rows FINAL
