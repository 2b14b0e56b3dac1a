-- +goose NO TRANSACTION
-- +goose Up

-- How far a run is and when it will end is what the run itself says: whoever looks at it from outside cannot know how much of its
-- work is behind the windows that it has not listed yet. Beside it what it learned of the clocks, which no other process knows.

ALTER TABLE sync_run_rows
    ADD COLUMN IF NOT EXISTS share Float64 COMMENT 'How much of its work is done, from 0 to 1, as the run itself says; 0 = nobody knows yet',
    ADD COLUMN IF NOT EXISTS ends_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it will end as it seems, UTC; NULL = nobody knows, or it has ended',
    ADD COLUMN IF NOT EXISTS clock_offset_seconds Float64 COMMENT 'Clock of the vendor minus that of the machine, in seconds; 0 = they agree, or it is not known';
