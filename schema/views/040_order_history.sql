-- One row per observed change of an order, from valid_from until valid_to
--
-- One row for each change that was observed. Equal states that follow each other count once, whatever wrote them (I3,
-- I9): the comparison is over what the source said, not over the bookkeeping. The current rows are read as well,
-- because an insert and its copy into order_versions are two commits: a crash between them must not hide a state (I7).
SELECT
    source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code, product_type,
    commodity_code, subscription_type, create_time, payment_time, currency, payment_currency, pretax_gross_amount,
    pretax_amount, pretax_amount_local, tax, after_tax_amount, items, fingerprint,
    change,
    fetched_at AS valid_from,
    if(is_last, NULL, greatest(next_fetched_at, fetched_at)) AS valid_to,
    version, raw, raw_detail
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
            row_number() OVER w AS position,
            lagInFrame(state) OVER w AS previous_state
        FROM
        (
            SELECT
                source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code,
                product_type, commodity_code, subscription_type, create_time, payment_time, currency,
                payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount,
                fingerprint, items, fetched_at, version, is_deleted, raw, raw_detail,
                sipHash64(tuple(is_deleted, source, owner_id,
                    related_order_id, order_type, payment_status, product_code, product_type, commodity_code,
                    subscription_type, payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount,
                    pretax_amount_local, tax, after_tax_amount)) AS state
            FROM order_versions FINAL
            UNION ALL
            SELECT
                source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code,
                product_type, commodity_code, subscription_type, create_time, payment_time, currency,
                payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount,
                fingerprint, items, fetched_at, version, is_deleted, raw, raw_detail,
                sipHash64(tuple(is_deleted, source, owner_id,
                    related_order_id, order_type, payment_status, product_code, product_type, commodity_code,
                    subscription_type, payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount,
                    pretax_amount_local, tax, after_tax_amount)) AS state
            FROM order_rows FINAL
        )
        WINDOW w AS (PARTITION BY account, create_time, order_id ORDER BY version ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
    WHERE position = 1 OR state != previous_state
    WINDOW w AS (PARTITION BY account, create_time, order_id ORDER BY version ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE is_deleted = 0
