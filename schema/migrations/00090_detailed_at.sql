-- +goose NO TRANSACTION
-- +goose Up

-- When the details of a window's orders were received, or were last fetched again and were as they are stored: the oldest of them. Of
-- the rows of before that is not known here; the first run after the upgrade asks the orders for it.

ALTER TABLE sync_window_rows
    ADD COLUMN IF NOT EXISTS detailed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the detail of an order of the window was last fetched, of the order for which that is the longest ago; NULL: no detail is stored, or that is not known yet';
