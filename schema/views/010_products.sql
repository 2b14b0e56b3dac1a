-- Product names, one row per product code, product type and subscription type
SELECT
    source, account, product_code, product_type, subscription_type, product_name, fetched_at, version
FROM product_rows FINAL
