-- Records that could not become rows, one row each, with the payload as received
SELECT
    source, account, owner_id, id, stage, order_id, window_start, create_time, reason, message, raw, first_seen,
    last_seen, attempts, next_attempt, accepted_at, accepted_by, note, resolved, version,
    multiIf(resolved = 1, 'resolved', isNotNull(accepted_at), 'accepted', 'open') AS status
FROM reject_rows FINAL
