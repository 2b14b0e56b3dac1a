-- Orders that are kept because somebody asked for them by their ids, one row each
SELECT source, account, owner_id, order_id, added_at, added_by
FROM tracked_order_rows FINAL
