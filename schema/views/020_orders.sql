-- Current state of every order, one row each
--
-- orders and order_items again, with the names of the products. A code alone names no product: account, code, type and
-- subscription type together do. The list is small and is read once a query, as a constant in which each row is looked
-- up. That is no join, so no row can vanish or come twice (I9), whatever the list holds, and a query that does not ask
-- for the name pays a few milliseconds at the most. The detail of an order may spell the subscription type in lower case.
WITH
    (
        SELECT tuple(
            groupArray(cityHash64(account, product_code, product_type, lower(subscription_type))),
            groupArray(product_name))
        FROM products
    ) AS product_list
SELECT
    source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code, product_type,
    commodity_code, subscription_type, create_time, payment_time, currency, payment_currency, pretax_gross_amount,
    pretax_amount, pretax_amount_local, tax, after_tax_amount, fingerprint, detail_status, items, fetched_at, version,
    raw, raw_detail,
    transform(cityHash64(account, product_code, product_type, lower(subscription_type)), product_list.1, product_list.2, '')
        AS product_name,
    toLowCardinality(${state}) AS payment_state
FROM order_rows FINAL
