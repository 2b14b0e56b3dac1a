CREATE DATABASE IF NOT EXISTS `ordersync` ON CLUSTER 'main';

CREATE TABLE IF NOT EXISTS `ordersync`.goose_db_version ON CLUSTER 'main'
(…)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/main/{database}/{table}', '{shard}-{replica}')
ORDER BY (version_id)
COMMENT 'Which migrations of ordersync were run (ordersync)';

CREATE VIEW IF NOT EXISTS products ON CLUSTER 'main'
(…)
AS SELECT …
COMMENT 'Product names, one row per product code, product type and subscription type (ordersync N.N-digest)';

CREATE OR REPLACE VIEW products ON CLUSTER 'main'
(…)
AS SELECT …
COMMENT 'Product names, one row per product code, product type and subscription type (ordersync N.N-digest)';

CREATE MATERIALIZED VIEW IF NOT EXISTS spend_stored ON CLUSTER 'main'
REFRESH EVERY 3600 SECOND
(…)
ENGINE = MergeTree ORDER BY (create_time, account, order_id, item_id)
AS SELECT …
COMMENT 'spend as the server has kept it since refreshed_at, for dashboards over many millions of lines: it is made anew every reporting.refresh, and is there only where that is set. It is made anew every 1h0m0s. Days and months are of the zone UTC (ordersync N.N-digest)';

CREATE OR REPLACE MATERIALIZED VIEW spend_stored ON CLUSTER 'main'
REFRESH EVERY 3600 SECOND
(…)
ENGINE = MergeTree ORDER BY (create_time, account, order_id, item_id)
AS SELECT …
COMMENT 'spend as the server has kept it since refreshed_at, for dashboards over many millions of lines: it is made anew every reporting.refresh, and is there only where that is set. It is made anew every 1h0m0s. Days and months are of the zone UTC (ordersync N.N-digest)';

CREATE TABLE IF NOT EXISTS order_rows_local ON CLUSTER 'main'
(…)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version, is_deleted)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the orders: all versions that are not merged away yet. Read the view orders instead (ordersync)';

CREATE TABLE IF NOT EXISTS order_rows ON CLUSTER 'main' AS order_rows_local
ENGINE = Distributed('main', 'ordersync', 'order_rows_local', cityHash64(account, order_id))
COMMENT 'Storage of the orders: all versions that are not merged away yet. Read the view orders instead (ordersync)';

CREATE TABLE IF NOT EXISTS order_item_rows_local ON CLUSTER 'main'
(…)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version, is_deleted)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id, item_id)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the line items: all versions that are not merged away yet. Read the view order_items instead (ordersync)';

CREATE TABLE IF NOT EXISTS order_item_rows ON CLUSTER 'main' AS order_item_rows_local
ENGINE = Distributed('main', 'ordersync', 'order_item_rows_local', cityHash64(account, order_id))
COMMENT 'Storage of the line items: all versions that are not merged away yet. Read the view order_items instead (ordersync)';

CREATE TABLE IF NOT EXISTS order_versions_local ON CLUSTER 'main'
(…)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id, fetched_at)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Every state of every order as it was received, oldest to newest. Read the view order_history instead (ordersync)';

CREATE TABLE IF NOT EXISTS order_versions ON CLUSTER 'main' AS order_versions_local
ENGINE = Distributed('main', 'ordersync', 'order_versions_local', cityHash64(account, order_id))
COMMENT 'Every state of every order as it was received, oldest to newest. Read the view order_history instead (ordersync)';

CREATE MATERIALIZED VIEW IF NOT EXISTS order_versions_feed ON CLUSTER 'main' TO order_versions_local
AS SELECT …
FROM order_rows_local
COMMENT 'Copies each insert into order_rows to order_versions, so that a row is sent once (ordersync)';

CREATE TABLE IF NOT EXISTS sync_window_rows_local ON CLUSTER 'main'
(…)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (account, owner_id, window_start)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the ledger. Read the view sync_windows instead (ordersync)';

CREATE TABLE IF NOT EXISTS sync_window_rows ON CLUSTER 'main' AS sync_window_rows_local
ENGINE = Distributed('main', 'ordersync', 'sync_window_rows_local', cityHash64(account))
COMMENT 'Storage of the ledger. Read the view sync_windows instead (ordersync)';

CREATE TABLE IF NOT EXISTS reject_rows_local ON CLUSTER 'main'
(…)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (account, id)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the rejects. Read the view rejects instead (ordersync)';

CREATE TABLE IF NOT EXISTS reject_rows ON CLUSTER 'main' AS reject_rows_local
ENGINE = Distributed('main', 'ordersync', 'reject_rows_local', cityHash64(account))
COMMENT 'Storage of the rejects. Read the view rejects instead (ordersync)';

CREATE TABLE IF NOT EXISTS product_rows_local ON CLUSTER 'main'
(…)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (account, product_code, product_type, subscription_type)
SETTINGS min_age_to_force_merge_seconds = 3600,
    min_age_to_force_merge_on_partition_only = 1
COMMENT 'Storage of the product names. Read the view products instead (ordersync)';

CREATE TABLE IF NOT EXISTS product_rows ON CLUSTER 'main' AS product_rows_local
ENGINE = Distributed('main', 'ordersync', 'product_rows_local', cityHash64(account))
COMMENT 'Storage of the product names. Read the view products instead (ordersync)';

CREATE TABLE IF NOT EXISTS sync_verifications_local ON CLUSTER 'main'
(…)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (account, owner_id, finished_at)
COMMENT 'Verifications of the copy against its ledger and the source, one row each (ordersync)';

CREATE TABLE IF NOT EXISTS sync_verifications ON CLUSTER 'main' AS sync_verifications_local
ENGINE = Distributed('main', 'ordersync', 'sync_verifications_local', cityHash64(account))
COMMENT 'Verifications of the copy against its ledger and the source, one row each (ordersync)';
