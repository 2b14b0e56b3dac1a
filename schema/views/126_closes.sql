-- Closes of months: what each account and currency came to when somebody closed the month, one row each
--
-- A month may be closed again; is_latest marks the close that counts. Closes of different zones stand beside one another, since
-- their months have different hours.
SELECT
    toDate(month) AS month, zone, closed_at, closed_by,
    CAST(closed_at = max(closed_at) OVER (PARTITION BY close_rows.month, zone), 'UInt8') AS is_latest,
    account, currency, orders, items, paid, refunded, net, tax, net_after_tax, unpaid, digest, month_start, month_end
FROM close_rows FINAL
