-- +goose NO TRANSACTION
-- +goose Up

-- The names of operators: orders have the id of a RAM user only, and no API of orders tells whose it is. Who uses the
-- warehouse fills the table, by SQL or by a verb.

CREATE TABLE IF NOT EXISTS operators
(
    id String COMMENT 'Id of the RAM user, as in the column operator',
    name String COMMENT 'Name for people',
    updated_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'When the name was given, UTC; of several names of one id the newest counts'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id
COMMENT 'Names of operators, one row each, which you fill: INSERT INTO operators (id, name) VALUES (…), or ordersync operators import';
