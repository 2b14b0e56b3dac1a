-- Orders that wait for their payment, with their age; is_anomaly marks those that should have been cancelled by now
--
-- Orders that wait for their payment. The vendor cancels an unpaid order after seven days, so one that is older than
-- eight and still reads Unpaid is an anomaly: either it was not looked at again, or the vendor forgot it.
SELECT
    source, account, owner_id, order_id, order_type, product_code, product_name, create_time,
    age('hour', create_time, now64(3, 'UTC')) AS age_hours,
    currency, pretax_amount, after_tax_amount,
    create_time < now64(3, 'UTC') - INTERVAL 8 DAY AS is_anomaly,
    fetched_at
FROM orders
WHERE payment_state = 'unpaid'
