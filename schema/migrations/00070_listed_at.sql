-- +goose NO TRANSACTION
-- +goose Up

-- A scheduled run closes windows of dense accounts by their counts. Which of them were listed whole, each row held against the
-- stored one, and when, is another fact. All rows of before were written by such a listing, when it ended.

ALTER TABLE sync_window_rows
    ADD COLUMN IF NOT EXISTS listed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the window was last listed whole, each listed row held against the stored one; NULL in rows of before there was this column: finished_at';
