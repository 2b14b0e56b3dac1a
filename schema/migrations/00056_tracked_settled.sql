-- +goose NO TRANSACTION
-- +goose Up

-- That a tracked order is settled is written down, so that a scheduled run looks at those that are not, however many were
-- ever tracked. The projection finds them, also among rows that are not merged yet: what it shows is looked up again.

ALTER TABLE tracked_order_rows
    ADD COLUMN IF NOT EXISTS settled UInt8 COMMENT '1 = it was seen stored and not unpaid, and is not asked for any more';

ALTER TABLE tracked_order_rows
    MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';

ALTER TABLE tracked_order_rows
    ADD PROJECTION IF NOT EXISTS by_settled (SELECT account, owner_id, settled, order_id ORDER BY account, owner_id, settled);

ALTER TABLE tracked_order_rows
    MATERIALIZE PROJECTION by_settled;
