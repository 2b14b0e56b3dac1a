-- The ledger: one row per account, owner and window, with counts, digest and verdict
SELECT
    source, account, owner_id, window_start, window_end, verdict, listed, stored, items, rejected, pending, id_digest,
    listing_start, listing_end, total_first, total_last, pages, list_calls, detail_calls, attempts, error, started_at,
    finished_at, ifNull(listed_at, finished_at) AS listed_at, detailed_at, version, filters
FROM sync_window_rows FINAL
