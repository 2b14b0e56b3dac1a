-- +goose NO TRANSACTION
-- +goose Up

CREATE TABLE IF NOT EXISTS product_rows
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_type LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    subscription_type LowCardinality(String) COMMENT 'Subscription or PayAsYouGo, as received (SubscriptionType)',
    product_name String COMMENT 'Name for people (ProductName)',
    fetched_at DateTime64(3, 'UTC') COMMENT 'When the name was received, UTC',
    version UInt64 COMMENT 'Of the rows of one product the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, product_code, product_type, subscription_type)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the product names. Read the view products instead';

CREATE OR REPLACE VIEW products
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_type LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    subscription_type LowCardinality(String) COMMENT 'Subscription or PayAsYouGo, as received (SubscriptionType)',
    product_name String COMMENT 'Name for people (ProductName)',
    fetched_at DateTime64(3, 'UTC') COMMENT 'When the name was received, UTC',
    version UInt64 COMMENT 'Of the rows of one product the highest version is the current one'
)
AS
SELECT
    source, account, product_code, product_type, subscription_type, product_name, fetched_at, version
FROM product_rows FINAL
COMMENT 'Product names, one row per product code, product type and subscription type';
