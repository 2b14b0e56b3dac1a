-- +goose NO TRANSACTION
-- +goose Up

-- The history of runs: who did what, when, and what came of it. A row is written when a run begins, while it goes on and
-- when it ends, so that a run in another process can be watched, and one that ended without a word is seen.

CREATE TABLE IF NOT EXISTS sync_run_rows
(
    id String COMMENT 'Id of the run, as on its log lines',
    kind LowCardinality(String) COMMENT 'What ran: tick (scheduled), backfill, verify, replay, track, fetch (before a cancel) or products',
    state LowCardinality(String) COMMENT 'running, ok, failed (something was left undone) or stopped (it was told to)',
    process String COMMENT 'Host name and process id of the program that ran it',
    accounts Array(String) COMMENT 'Names of the accounts that it was for',
    range_start Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the creation times that it was for, inclusive, UTC; NULL = each account''s own ledger',
    range_end Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the creation times that it was for, exclusive, UTC; NULL = each account''s own ledger',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC',
    updated_at DateTime64(3, 'UTC') COMMENT 'When it last gave a sign of life, UTC: every ten seconds while it runs',
    finished_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, UTC; NULL = it runs, or its process ended without a word',
    windows_planned UInt64 COMMENT 'Windows to be walked or verified; of a replay, spans of windows; of track, orders',
    windows_done UInt64 COMMENT 'Of these, how many are done, whatever their verdict',
    orders UInt64 COMMENT 'Orders that the listings showed',
    changed UInt64 COMMENT 'Of these, how many were new or changed',
    items UInt64 COMMENT 'Line items written',
    rejected UInt64 COMMENT 'Records that were left without a row at its end',
    list_calls UInt64 COMMENT 'List calls made',
    detail_calls UInt64 COMMENT 'Orders whose detail was asked for',
    error String COMMENT 'What it left undone, for a person; empty = nothing',
    version UInt64 COMMENT 'Of the rows of one run the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (started_at, id)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the history of runs. Read the view sync_runs instead';

CREATE OR REPLACE VIEW sync_runs
(
    id String COMMENT 'Id of the run, as on its log lines',
    kind LowCardinality(String) COMMENT 'What ran: tick (scheduled), backfill, verify, replay, track, fetch (before a cancel) or products',
    state LowCardinality(String) COMMENT 'running, ok, failed (something was left undone) or stopped (it was told to)',
    process String COMMENT 'Host name and process id of the program that ran it',
    accounts Array(String) COMMENT 'Names of the accounts that it was for',
    range_start Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the creation times that it was for, inclusive, UTC; NULL = each account''s own ledger',
    range_end Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the creation times that it was for, exclusive, UTC; NULL = each account''s own ledger',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC',
    updated_at DateTime64(3, 'UTC') COMMENT 'When it last gave a sign of life, UTC: every ten seconds while it runs',
    finished_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, UTC; NULL = it runs, or its process ended without a word',
    windows_planned UInt64 COMMENT 'Windows to be walked or verified; of a replay, spans of windows; of track, orders',
    windows_done UInt64 COMMENT 'Of these, how many are done, whatever their verdict',
    orders UInt64 COMMENT 'Orders that the listings showed',
    changed UInt64 COMMENT 'Of these, how many were new or changed',
    items UInt64 COMMENT 'Line items written',
    rejected UInt64 COMMENT 'Records that were left without a row at its end',
    list_calls UInt64 COMMENT 'List calls made',
    detail_calls UInt64 COMMENT 'Orders whose detail was asked for',
    error String COMMENT 'What it left undone, for a person; empty = nothing',
    version UInt64 COMMENT 'Of the rows of one run the highest version is the current one'
)
AS
SELECT
    id, kind, state, process, accounts, range_start, range_end, started_at, updated_at, finished_at,
    windows_planned, windows_done, orders, changed, items, rejected, list_calls, detail_calls, error, version
FROM sync_run_rows FINAL
COMMENT 'The history of runs: ticks, backfills, verifications and so on, one row each';
