-- One row per observed change of an order, from valid_from until valid_to
--
-- One row for each change that was observed. Equal states that follow each other count once, whatever wrote them (I3,
-- I9): the comparison is over what the source said, not over the bookkeeping. The current rows are read as well,
-- because an insert and its copy into order_versions are two commits: a crash between them must not hide a state (I7).
--
-- The history of an order is one chain, whatever its creation time was at each of its states: the time is a property that
-- the source may correct (I11). A correction is a change. It leaves a tombstone at the place of before whose version is one
-- below that of the row at the new place, and no state of the order: only a tombstone without such a row ends a history.
-- There are two clocks: valid_from is when a state was seen, payment_time and update_time are when the vendor says that it
-- came to be. A condition on order_id, or on account and owner_id, reaches the tables; one on create_time does not, because the states
-- of one order may have several.
WITH if(source = 'unicloud', greatest(JSONExtractInt(raw, 'UpdateTime'), JSONExtractInt(raw_detail, 'UpdateTime')), 0) AS updated
SELECT
    source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code, product_type,
    commodity_code, subscription_type, create_time, payment_time, currency, payment_currency, pretax_gross_amount,
    pretax_amount, pretax_amount_local, tax, after_tax_amount, items, fingerprint,
    change,
    fetched_at AS valid_from,
    if(is_last, NULL, greatest(next_fetched_at, fetched_at)) AS valid_to,
    version, raw, raw_detail,
    if(updated BETWEEN 1 AND 9999999999999, fromUnixTimestamp64Milli(updated, 'UTC'), NULL) AS update_time
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
                is_deleted, source, create_time, related_order_id, order_type, payment_status, product_code,
                product_type, commodity_code, subscription_type, payment_time, currency, payment_currency,
                pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount)) AS state,
            row_number() OVER w AS position,
            lagInFrame(state) OVER w AS previous_state,
            leadInFrame(version) OVER w AS next_version
        FROM
        (
            SELECT
                source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code,
                product_type, commodity_code, subscription_type, create_time, payment_time, currency,
                payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount,
                fingerprint, items, fetched_at, version, is_deleted, raw, raw_detail
            FROM order_versions FINAL
            UNION ALL
            SELECT
                source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code,
                product_type, commodity_code, subscription_type, create_time, payment_time, currency,
                payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount,
                fingerprint, items, fetched_at, version, is_deleted, raw, raw_detail
            FROM order_rows FINAL
        )
        WINDOW w AS (PARTITION BY account, owner_id, order_id ORDER BY version ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
    WHERE (position = 1 OR state != previous_state) AND NOT (is_deleted = 1 AND next_version = version + 1)
    WINDOW w AS (PARTITION BY account, owner_id, order_id ORDER BY version ASC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE is_deleted = 0
