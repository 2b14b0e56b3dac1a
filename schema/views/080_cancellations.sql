-- Who had which order cancelled at the vendor, one row an attempt: the only writes to a vendor that there are
SELECT source, account, owner_id, id, order_id, requested_at, requested_by, outcome, request_id, error, payment_status
FROM cancellation_rows FINAL
