-- +goose NO TRANSACTION
-- +goose Up

-- The ledger: which hours are known to be stored. It is not partitioned, so that the windows of one batch are one
-- atomic insert (I1).

CREATE TABLE IF NOT EXISTS sync_window_rows
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the window, inclusive, UTC',
    window_end DateTime64(3, 'UTC') COMMENT 'End of the window, exclusive, UTC',
    verdict LowCardinality(String) COMMENT 'complete, open (not past yet), short (the counts do not agree) or failed',
    listed UInt32 COMMENT 'Orders that the listing showed inside the window',
    stored UInt32 COMMENT 'Orders of the window that are stored',
    items UInt32 COMMENT 'Line items of these orders',
    rejected UInt32 COMMENT 'Records of the window that could not become rows, see rejects',
    pending UInt32 COMMENT 'Stored orders whose detail is still to be fetched',
    id_digest UInt64 COMMENT 'XOR of xxHash64 over the ids of the stored orders; groupBitXor(xxHash64(order_id)) over orders must agree',
    listing_start Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the listing that covered the window, UTC; it may cover many windows',
    listing_end Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the listing that covered the window, UTC',
    total_first UInt32 COMMENT 'TotalCount of the listing when it was first read',
    total_last UInt32 COMMENT 'TotalCount of the listing when it was last read',
    pages UInt32 COMMENT 'Pages read; the pages of a listing are shared out over its windows',
    list_calls UInt32 COMMENT 'List calls made, shared out in the same way',
    detail_calls UInt32 COMMENT 'Detail calls made',
    attempts UInt32 COMMENT 'Walks of this window since it was last complete',
    error String COMMENT 'What went wrong, for a person; empty = nothing',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk began, UTC',
    finished_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk ended, UTC',
    version UInt64 COMMENT 'Of the rows of one window the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, owner_id, window_start)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the ledger. Read the view sync_windows instead';

CREATE OR REPLACE VIEW sync_windows
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    window_start DateTime64(3, 'UTC') COMMENT 'Start of the window, inclusive, UTC',
    window_end DateTime64(3, 'UTC') COMMENT 'End of the window, exclusive, UTC',
    verdict LowCardinality(String) COMMENT 'complete, open (not past yet), short (the counts do not agree) or failed',
    listed UInt32 COMMENT 'Orders that the listing showed inside the window',
    stored UInt32 COMMENT 'Orders of the window that are stored',
    items UInt32 COMMENT 'Line items of these orders',
    rejected UInt32 COMMENT 'Records of the window that could not become rows, see rejects',
    pending UInt32 COMMENT 'Stored orders whose detail is still to be fetched',
    id_digest UInt64 COMMENT 'XOR of xxHash64 over the ids of the stored orders; groupBitXor(xxHash64(order_id)) over orders must agree',
    listing_start Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the listing that covered the window, UTC; it may cover many windows',
    listing_end Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the listing that covered the window, UTC',
    total_first UInt32 COMMENT 'TotalCount of the listing when it was first read',
    total_last UInt32 COMMENT 'TotalCount of the listing when it was last read',
    pages UInt32 COMMENT 'Pages read; the pages of a listing are shared out over its windows',
    list_calls UInt32 COMMENT 'List calls made, shared out in the same way',
    detail_calls UInt32 COMMENT 'Detail calls made',
    attempts UInt32 COMMENT 'Walks of this window since it was last complete',
    error String COMMENT 'What went wrong, for a person; empty = nothing',
    started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk began, UTC',
    finished_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk ended, UTC',
    version UInt64 COMMENT 'Of the rows of one window the highest version is the current one'
)
AS
SELECT
    source, account, owner_id, window_start, window_end, verdict, listed, stored, items, rejected, pending, id_digest,
    listing_start, listing_end, total_first, total_last, pages, list_calls, detail_calls, attempts, error, started_at,
    finished_at, version
FROM sync_window_rows FINAL
COMMENT 'The ledger: one row per account, owner and window, with counts, digest and verdict';
