-- The history of runs: ticks, backfills, verifications and so on, one row each
SELECT
    id, kind, state, process, accounts, range_start, range_end, started_at, updated_at, finished_at,
    windows_planned, windows_done, orders, changed, items, rejected, list_calls, detail_calls, share, ends_at,
    clock_offset_seconds, error, version
FROM sync_run_rows FINAL
