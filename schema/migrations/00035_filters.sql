-- +goose NO TRANSACTION
-- +goose Up

-- What the listing of a window was narrowed to is part of what its row proves: a window that is complete for one product
-- says nothing of the others (I12). Windows of before were not narrowed.

ALTER TABLE sync_window_rows
    ADD COLUMN IF NOT EXISTS filters LowCardinality(String) COMMENT 'What the listing of the window was narrowed to (configuration: accounts[].filters), as product_code=rds; empty = all orders';
