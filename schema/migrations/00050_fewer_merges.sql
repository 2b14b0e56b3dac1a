-- +goose NO TRANSACTION
-- +goose Up

-- A backfill adds a part of some ten thousand rows to each of these tables every few seconds. Merged five at a time, each
-- row would be written again and again while more arrive, at a third of what the inserts take in all. Twenty at a time cost
-- next to nothing; a partition in which nothing happens any more becomes one part within the hour all the same.

ALTER TABLE order_rows
    MODIFY SETTING merge_selector_base = 20;

ALTER TABLE order_item_rows
    MODIFY SETTING merge_selector_base = 20;

ALTER TABLE order_versions
    MODIFY SETTING merge_selector_base = 20;
