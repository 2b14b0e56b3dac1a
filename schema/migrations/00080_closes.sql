-- +goose NO TRANSACTION
-- +goose Up

-- What a month came to when somebody closed it: a row for each account and currency, written together. A month may be closed
-- again, which adds rows and takes none away. The key begins with the month, so that the rows of one close share a shard and
-- arrive at once.

CREATE TABLE IF NOT EXISTS close_rows
(
    month DateTime64(3, 'UTC') COMMENT 'First day of the month, as its midnight in UTC',
    zone LowCardinality(String) COMMENT 'Reporting zone in which the month begins and ends (configuration: reporting.timezone)',
    month_start DateTime64(3, 'UTC') COMMENT 'When the month begins in the zone, UTC: its orders are created from then on',
    month_end DateTime64(3, 'UTC') COMMENT 'When the month ends in the zone, exclusive, UTC',
    closed_at DateTime64(3, 'UTC') COMMENT 'The moment of the close, UTC: what was received until then counts',
    closed_by String COMMENT 'Who closed it: user and host',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency); empty = none sent, or the account has no line in the month',
    orders UInt64 COMMENT 'Orders of the month that have line items',
    items UInt64 COMMENT 'Line items of the month',
    paid Nullable(Decimal(38, 12)) COMMENT 'Sum of paid (spend), before tax, in currency; NULL = none sent',
    refunded Nullable(Decimal(38, 12)) COMMENT 'Sum of refunded (spend), before tax, in currency; NULL = none sent',
    net Nullable(Decimal(38, 12)) COMMENT 'Sum of net (spend), before tax, in currency; NULL = none sent',
    tax Nullable(Decimal(38, 12)) COMMENT 'Sum of tax (spend), in currency; NULL = none sent',
    net_after_tax Nullable(Decimal(38, 12)) COMMENT 'Sum of net_after_tax (spend), in currency; NULL = none sent',
    unpaid Nullable(Decimal(38, 12)) COMMENT 'Sum of unpaid (spend), before tax, in currency; NULL = none sent',
    digest String COMMENT 'Digest of the money of all lines: equal where no line, amount, state or currency differs'
)
ENGINE = ReplacingMergeTree
ORDER BY (month, closed_at, account, currency)
COMMENT 'Closes of months, as they were recorded. Read the view closes instead';
