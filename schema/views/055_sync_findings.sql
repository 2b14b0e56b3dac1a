-- Differences that verifications found, one row each. Open ones have no ended_at
SELECT
    source, account, owner_id, id, kind, depth, range_start, range_end, order_id, at_source, stored, note, found_at,
    ended_at, ended_by, version
FROM sync_finding_rows FINAL
