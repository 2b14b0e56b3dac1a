-- One row per observed change of a line item, from valid_from until valid_to
--
-- What order_history is for orders: the states of a line are one chain, equal states that follow each other count once, and a
-- line that is removed from its order ends with a tombstone. The current rows are read as well, because an insert and its
-- copy into order_item_versions are two commits: a crash between them must not hide a state (I7).
SELECT
    source, account, owner_id, order_id, item_id, related_order_id, order_type, order_sub_type, payment_status,
    product_code, product_type, commodity_code, subscription_type, create_time, payment_time, currency,
    payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount, instance_ids,
    region, quantity, config, original_config, operator, usage_start_time, usage_end_time, extend_infos,
    bill_module_config, original_module_config,
    change,
    fetched_at AS valid_from,
    if(is_last, NULL, greatest(next_fetched_at, fetched_at)) AS valid_to,
    version, raw
FROM
(
    SELECT
        *,
        row_number() OVER w AS change,
        leadInFrame(fetched_at) OVER w AS next_fetched_at,
        leadInFrame(1, 1, 0) OVER w = 0 AS is_last
    FROM
    (
        SELECT
            *,
            sipHash64(tuple(
                is_deleted, source, related_order_id, order_type, order_sub_type, payment_status, product_code,
                product_type, commodity_code, subscription_type, create_time, payment_time, currency,
                payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount,
                instance_ids, region, quantity, config, original_config, operator, usage_start_time, usage_end_time,
                extend_infos, bill_module_config, original_module_config)) AS state,
            row_number() OVER w AS position,
            lagInFrame(state) OVER w AS previous_state,
            leadInFrame(version) OVER w AS next_version
        FROM
        (
            SELECT
                source, account, owner_id, order_id, item_id, related_order_id, order_type, order_sub_type,
                payment_status, product_code, product_type, commodity_code, subscription_type, create_time,
                payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local,
                tax, after_tax_amount, instance_ids, region, quantity, config, original_config, operator,
                usage_start_time, usage_end_time, extend_infos, bill_module_config, original_module_config,
                fetched_at, version, is_deleted, raw
            FROM order_item_versions FINAL
            UNION ALL
            SELECT
                source, account, owner_id, order_id, item_id, related_order_id, order_type, order_sub_type,
                payment_status, product_code, product_type, commodity_code, subscription_type, create_time,
                payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local,
                tax, after_tax_amount, instance_ids, region, quantity, config, original_config, operator,
                usage_start_time, usage_end_time, extend_infos, bill_module_config, original_module_config,
                fetched_at, version, is_deleted, raw
            FROM order_item_rows FINAL
        )
        WINDOW w AS (PARTITION BY account, owner_id, order_id, item_id ORDER BY version ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
    WHERE (position = 1 OR state != previous_state) AND NOT (is_deleted = 1 AND next_version = version + 1)
    WINDOW w AS (PARTITION BY account, owner_id, order_id, item_id ORDER BY version ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE is_deleted = 0
