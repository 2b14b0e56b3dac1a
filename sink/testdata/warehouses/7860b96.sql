CREATE TABLE goose_db_version
(
    `version_id` Int64,
    `is_applied` UInt8,
    `date` Date DEFAULT now(),
    `tstamp` DateTime DEFAULT now()
)
ENGINE = MergeTree
ORDER BY (version_id)
SETTINGS index_granularity = 8192;

CREATE TABLE order_item_rows
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `item_id` String COMMENT 'Line item id as received (BSS: SubOrderId)',
    `related_order_id` String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `order_sub_type` LowCardinality(String) COMMENT 'Type of the line as received, such as ProductSubOrder (OrderSubType)',
    `payment_status` LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `commodity_code` LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime of the order, on all its items)',
    `payment_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `payment_currency` LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    `pretax_gross_amount` Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    `pretax_amount_local` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account\'s local currency (PretaxAmountLocal); NULL = none sent',
    `tax` Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    `instance_ids` Array(String) COMMENT 'Ids of the instances that the line is about (InstanceIDs, unpacked from its JSON text)',
    `region` LowCardinality(String) COMMENT 'Region id (Region)',
    `quantity` Nullable(Decimal(38, 12)) COMMENT 'Count of the main product, in pieces (Quantity); NULL = none sent',
    `config` String COMMENT 'Normalised configuration as received, Module:[Key:Value;] (Config)' CODEC(ZSTD(1)),
    `original_config` String COMMENT 'Configuration as received before normalising (OriginalConfig)' CODEC(ZSTD(1)),
    `operator` String COMMENT 'Id of the RAM user who placed the order (Operator); empty = none sent',
    `usage_start_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the service period, UTC (UsageStartTime); NULL = none sent',
    `usage_end_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the service period, UTC (UsageEndTime); pay-as-you-go ends about 100 years on; NULL = none sent',
    `extend_infos` Map(String, String) COMMENT 'Extra information as received (ExtendInfos)',
    `bill_module_config` String COMMENT 'Billing modules, JSON as received (BillModuleConfig)' CODEC(ZSTD(1)),
    `original_module_config` String COMMENT 'Modules before normalising, JSON as received (OriginalModuleConfig)' CODEC(ZSTD(1)),
    `fetched_at` DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    `version` UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    `is_deleted` UInt8 COMMENT '1 = tombstone: the row vanished from its source; hidden by the views',
    `raw` String COMMENT 'The line item as received (JSON)' CODEC(ZSTD(1)),
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id, item_id)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Storage of the line items: all versions that are not merged away yet. Read the view order_items instead';

CREATE TABLE order_rows
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `related_order_id` String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `payment_status` LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `commodity_code` LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    `payment_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `payment_currency` LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    `pretax_gross_amount` Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    `pretax_amount_local` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account\'s local currency (PretaxAmountLocal); NULL = none sent',
    `tax` Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    `fingerprint` UInt64 COMMENT 'Hash of the list row as received; equal = nothing to fetch; 0 = no list row was seen',
    `detail_status` LowCardinality(String) COMMENT 'ok = the line items belong to this state of the order; pending = the detail is still to be fetched',
    `items` UInt32 COMMENT 'How many line items this state of the order has, by its detail',
    `fetched_at` DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    `version` UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    `is_deleted` UInt8 COMMENT '1 = tombstone: the row vanished from its source; hidden by the views',
    `raw` String COMMENT 'The list row as received (JSON)' CODEC(ZSTD(1)),
    `raw_detail` String COMMENT 'The order part of the detail as received (JSON), where the source has one beside the items' CODEC(ZSTD(1)),
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX detail_status_set detail_status TYPE set(8) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Storage of the orders: all versions that are not merged away yet. Read the view orders instead';

CREATE TABLE order_versions
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `related_order_id` String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `payment_status` LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `commodity_code` LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    `payment_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `payment_currency` LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    `pretax_gross_amount` Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    `pretax_amount_local` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account\'s local currency (PretaxAmountLocal); NULL = none sent',
    `tax` Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    `fingerprint` UInt64 COMMENT 'Hash of the list row as received; equal = nothing to fetch; 0 = no list row was seen',
    `detail_status` LowCardinality(String) COMMENT 'ok = the line items belong to this state of the order; pending = the detail is still to be fetched',
    `items` UInt32 COMMENT 'How many line items this state of the order has, by its detail',
    `fetched_at` DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    `version` UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    `is_deleted` UInt8 COMMENT '1 = tombstone: the row vanished from its source; hidden by the views',
    `raw` String COMMENT 'The list row as received (JSON)' CODEC(ZSTD(1)),
    `raw_detail` String COMMENT 'The order part of the detail as received (JSON), where the source has one beside the items' CODEC(ZSTD(1)),
    INDEX order_id_bloom order_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(create_time)
ORDER BY (account, create_time, order_id, fetched_at)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Every state of every order as it was received, oldest to newest. Read the view order_history instead';

CREATE TABLE product_rows
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription or PayAsYouGo, as received (SubscriptionType)',
    `product_name` String COMMENT 'Name for people (ProductName)',
    `fetched_at` DateTime64(3, 'UTC') COMMENT 'When the name was received, UTC',
    `version` UInt64 COMMENT 'Of the rows of one product the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, product_code, product_type, subscription_type)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Storage of the product names. Read the view products instead';

CREATE TABLE reject_rows
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `id` String COMMENT 'Stable id: the same record rejected again is the same reject',
    `stage` LowCardinality(String) COMMENT 'Where it failed: list (a list row), detail (an order\'s detail) or item (one line of a detail)',
    `order_id` String COMMENT 'Order id, where the record has one',
    `window_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window in which it was met, UTC',
    `create_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the order was created, UTC; NULL = could not be read',
    `reason` LowCardinality(String) COMMENT 'Short label of the cause',
    `message` String COMMENT 'What is wrong, for a person',
    `raw` String COMMENT 'The record as received' CODEC(ZSTD(1)),
    `first_seen` DateTime64(3, 'UTC') COMMENT 'When it was first rejected, UTC',
    `last_seen` DateTime64(3, 'UTC') COMMENT 'When it was last rejected, UTC',
    `attempts` UInt32 COMMENT 'How often it was tried',
    `next_attempt` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it may be tried again, UTC; NULL = with the next walk of its window',
    `accepted_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When an operator accepted it, UTC; NULL = not accepted',
    `accepted_by` String COMMENT 'Who accepted it',
    `note` String COMMENT 'What the operator wrote',
    `resolved` UInt8 COMMENT '1 = it became a row after all',
    `version` UInt64 COMMENT 'Of the rows of one reject the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, id)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Storage of the rejects. Read the view rejects instead';

CREATE TABLE sync_verifications
(
    `source` LowCardinality(String) COMMENT 'Kind of source that was compared: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `range_start` DateTime64(3, 'UTC') COMMENT 'Start of what was verified, inclusive, UTC',
    `range_end` DateTime64(3, 'UTC') COMMENT 'End of what was verified, exclusive, UTC',
    `whole` UInt8 COMMENT '1 = everything that the ledger covered then; 0 = a range that somebody asked for',
    `deep` UInt8 COMMENT '1 = each order was compared; 0 = counts and digests',
    `windows` UInt64 COMMENT 'Windows of the range',
    `calls` UInt64 COMMENT 'Calls made to the vendor, those of a repair included',
    `differences` UInt64 COMMENT 'Differences that were found and are left',
    `repaired` UInt64 COMMENT 'Differences that were found and repaired',
    `error` String COMMENT 'Why it ended early, for a person; empty = it was finished',
    `started_at` DateTime64(3, 'UTC') COMMENT 'When it began, UTC',
    `finished_at` DateTime64(3, 'UTC') COMMENT 'When it ended, UTC'
)
ENGINE = MergeTree
ORDER BY (account, owner_id, finished_at)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192
COMMENT 'Verifications of the copy against its ledger and the source, one row each';

CREATE TABLE sync_window_rows
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `window_start` DateTime64(3, 'UTC') COMMENT 'Start of the window, inclusive, UTC',
    `window_end` DateTime64(3, 'UTC') COMMENT 'End of the window, exclusive, UTC',
    `verdict` LowCardinality(String) COMMENT 'complete, open (not past yet), short (the counts do not agree) or failed',
    `listed` UInt32 COMMENT 'Orders that the listing showed inside the window',
    `stored` UInt32 COMMENT 'Orders of the window that are stored',
    `items` UInt32 COMMENT 'Line items of these orders',
    `rejected` UInt32 COMMENT 'Records of the window that could not become rows, see rejects',
    `pending` UInt32 COMMENT 'Stored orders whose detail is still to be fetched',
    `id_digest` UInt64 COMMENT 'XOR of xxHash64 over the ids of the stored orders; groupBitXor(xxHash64(order_id)) over orders must agree',
    `listing_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the listing that covered the window, UTC; it may cover many windows',
    `listing_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the listing that covered the window, UTC',
    `total_first` UInt32 COMMENT 'TotalCount of the listing when it was first read',
    `total_last` UInt32 COMMENT 'TotalCount of the listing when it was last read',
    `pages` UInt32 COMMENT 'Pages read; the pages of a listing are shared out over its windows',
    `list_calls` UInt32 COMMENT 'List calls made, shared out in the same way',
    `detail_calls` UInt32 COMMENT 'Detail calls made',
    `attempts` UInt32 COMMENT 'Walks of this window since it was last complete',
    `error` String COMMENT 'What went wrong, for a person; empty = nothing',
    `started_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk began, UTC',
    `finished_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk ended, UTC',
    `version` UInt64 COMMENT 'Of the rows of one window the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, owner_id, window_start)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Storage of the ledger. Read the view sync_windows instead';

INSERT INTO goose_db_version (`version_id`, `is_applied`, `date`, `tstamp`) VALUES (0, 1, '2026-11-27', '2026-11-27 01:10:15'), (1, 1, '2026-11-27', '2026-11-27 01:10:15'), (2, 1, '2026-11-27', '2026-11-27 01:10:15'), (3, 1, '2026-11-27', '2026-11-27 01:10:15'), (4, 1, '2026-11-27', '2026-11-27 01:10:15'), (5, 1, '2026-11-27', '2026-11-27 01:10:15'), (6, 1, '2026-11-27', '2026-11-27 01:10:15'), (7, 1, '2026-11-27', '2026-11-27 01:10:15'), (8, 1, '2026-11-27', '2026-11-27 01:10:15');

INSERT INTO order_item_rows (`source`, `account`, `owner_id`, `order_id`, `item_id`, `related_order_id`, `order_type`, `order_sub_type`, `payment_status`, `product_code`, `product_type`, `commodity_code`, `subscription_type`, `create_time`, `payment_time`, `currency`, `payment_currency`, `pretax_gross_amount`, `pretax_amount`, `pretax_amount_local`, `tax`, `after_tax_amount`, `instance_ids`, `region`, `quantity`, `config`, `original_config`, `operator`, `usage_start_time`, `usage_end_time`, `extend_infos`, `bill_module_config`, `original_module_config`, `fetched_at`, `version`, `is_deleted`, `raw`) VALUES ('bss', 'main', '', '211059788200007', '211059788200007-1', '', 'New', 'ProductSubOrder', 'Unpaid', 'rds', '', '', '', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', NULL, 10.5, NULL, NULL, NULL, ['rm-1'], 'cn-hangzhou', 1, '', '', '', '2024-05-06 00:07:00.000', '2124-05-06 00:07:00.000', {}, '', '', '2024-05-06 01:07:00.000', 1, 0, '{}'), ('bss', 'main', '', '211059788200008', '211059788200008-1', '', 'New', 'ProductSubOrder', 'Paid', 'rds', '', '', '', '2024-05-06 00:08:00.000', '2024-05-06 00:08:01.000', 'CNY', '', NULL, 10.5, NULL, NULL, NULL, ['rm-1'], 'cn-hangzhou', 1, '', '', '', '2024-05-06 00:08:00.000', '2124-05-06 00:08:00.000', {}, '', '', '2024-05-06 01:08:00.000', 1, 0, '{}'), ('unicloud', 'a\'c\\count', '1234567890123456', 'o-“ünï” 订单 \0 \t\n\\\'"` 🧾', '1', 'r', 'Renew', 'sub', 'Unpaid', 'ecs', 't', 'vm', 's', '2024-02-29 23:59:59.999', '1900-01-01 00:00:00.000', 'CNY', 'JPY', 10000000000000000000000000, 0, 9223372036854775807, -9223372036854775808, 0.1, ['i-1','','“ünï” 订单 \0 \t\n\\\'"` 🧾'], 'cn-shanghai', 1.5, '“ünï” 订单 \0 \t\n\\\'"` 🧾', 'Module:[Key:Val;]', 'ram', '2022-01-01 00:00:00.000', '2122-01-01 16:00:00.000', {'a':'1','':'','“ünï” 订单 \0 \t\n\\\'"` 🧾':'“ünï” 订单 \0 \t\n\\\'"` 🧾'}, '{}', '[]', '2299-12-31 23:59:59.999', 1, 0, '{"a":1}'), ('unicloud', 'a\'c\\count', '1234567890123456', 'o-“ünï” 订单 \0 \t\n\\\'"` 🧾', '2', '', '', '', '', '', '', '', '', '2024-02-29 23:59:59.999', NULL, '', '', NULL, NULL, NULL, NULL, NULL, [], '', NULL, '', '', '', NULL, NULL, {}, '', '', '1900-01-01 00:00:00.000', 0, 0, '');

INSERT INTO order_rows (`source`, `account`, `owner_id`, `order_id`, `related_order_id`, `order_type`, `payment_status`, `product_code`, `product_type`, `commodity_code`, `subscription_type`, `create_time`, `payment_time`, `currency`, `payment_currency`, `pretax_gross_amount`, `pretax_amount`, `pretax_amount_local`, `tax`, `after_tax_amount`, `fingerprint`, `detail_status`, `items`, `fetched_at`, `version`, `is_deleted`, `raw`, `raw_detail`) VALUES ('bss', 'main', '', '211059788200007', '', 'New', 'Paid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 8, 'ok', 0, '2024-05-06 02:07:00.000', 2, 0, '{"OrderId":"211059788200007"}', ''), ('bss', 'main', '', '211059788200007', '', 'New', 'Unpaid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 8, 'ok', 0, '2024-05-06 01:07:00.000', 1, 0, '{"OrderId":"211059788200007"}', ''), ('bss', 'main', '', '211059788200008', '', 'New', 'Paid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:08:00.000', '2024-05-06 00:08:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 9, 'ok', 0, '2024-05-06 01:08:00.000', 1, 0, '{"OrderId":"211059788200008"}', ''), ('unicloud', 'a\'c\\count', '1234567890123456', 'o-“ünï” 订单 \0 \t\n\\\'"` 🧾', 'r', 'Renew', 'Unpaid', 'ecs', '“ünï” 订单 \0 \t\n\\\'"` 🧾', 'vm', 'PayAsYouGo', '2024-02-29 23:59:59.999', '2299-12-31 23:59:59.999', 'CNY', 'USD', 99999999999999999999999999.999999999999, -99999999999999999999999999.999999999999, 0.000000000001, -0.000000000001, 12345678901234567.89, 18446744073709551615, 'pending', 4294967295, '1900-01-01 00:00:00.000', 18446744073709551614, 0, '{}', '“ünï” 订单 \0 \t\n\\\'"` 🧾');

INSERT INTO order_versions (`source`, `account`, `owner_id`, `order_id`, `related_order_id`, `order_type`, `payment_status`, `product_code`, `product_type`, `commodity_code`, `subscription_type`, `create_time`, `payment_time`, `currency`, `payment_currency`, `pretax_gross_amount`, `pretax_amount`, `pretax_amount_local`, `tax`, `after_tax_amount`, `fingerprint`, `detail_status`, `items`, `fetched_at`, `version`, `is_deleted`, `raw`, `raw_detail`) VALUES ('bss', 'main', '', '211059788200007', '', 'New', 'Paid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 8, 'ok', 0, '2024-05-06 02:07:00.000', 2, 0, '{"OrderId":"211059788200007"}', ''), ('bss', 'main', '', '211059788200007', '', 'New', 'Unpaid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 8, 'ok', 0, '2024-05-06 01:07:00.000', 1, 0, '{"OrderId":"211059788200007"}', ''), ('bss', 'main', '', '211059788200008', '', 'New', 'Paid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:08:00.000', '2024-05-06 00:08:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 9, 'ok', 0, '2024-05-06 01:08:00.000', 1, 0, '{"OrderId":"211059788200008"}', ''), ('unicloud', 'a\'c\\count', '1234567890123456', 'o-“ünï” 订单 \0 \t\n\\\'"` 🧾', 'r', 'Renew', 'Unpaid', 'ecs', '“ünï” 订单 \0 \t\n\\\'"` 🧾', 'vm', 'PayAsYouGo', '2024-02-29 23:59:59.999', '2299-12-31 23:59:59.999', 'CNY', 'USD', 99999999999999999999999999.999999999999, -99999999999999999999999999.999999999999, 0.000000000001, -0.000000000001, 12345678901234567.89, 18446744073709551615, 'pending', 4294967295, '1900-01-01 00:00:00.000', 18446744073709551614, 0, '{}', '“ünï” 订单 \0 \t\n\\\'"` 🧾');

;

INSERT INTO reject_rows (`source`, `account`, `owner_id`, `id`, `stage`, `order_id`, `window_start`, `create_time`, `reason`, `message`, `raw`, `first_seen`, `last_seen`, `attempts`, `next_attempt`, `accepted_at`, `accepted_by`, `note`, `resolved`, `version`) VALUES ('bss', 'main', '', 'r1', 'list', '', NULL, NULL, 'malformed', '', '{', '2024-05-06 00:00:00.000', '2024-05-06 00:00:00.000', 0, NULL, NULL, '', '', 0, 1);

INSERT INTO sync_verifications (`source`, `account`, `owner_id`, `range_start`, `range_end`, `whole`, `deep`, `windows`, `calls`, `differences`, `repaired`, `error`, `started_at`, `finished_at`) VALUES ('bss', 'main', '', '2024-05-06 00:00:00.000', '2024-05-06 01:00:00.000', 0, 1, 1, 0, 2, 0, '', '2024-05-06 00:00:00.000', '2024-05-06 00:01:00.000'), ('bss', 'main', '', '2024-05-06 00:00:00.000', '2024-05-06 01:00:00.000', 1, 0, 1, 0, 0, 0, '', '2024-05-06 00:00:00.000', '2024-05-06 00:00:00.000');

INSERT INTO sync_window_rows (`source`, `account`, `owner_id`, `window_start`, `window_end`, `verdict`, `listed`, `stored`, `items`, `rejected`, `pending`, `id_digest`, `listing_start`, `listing_end`, `total_first`, `total_last`, `pages`, `list_calls`, `detail_calls`, `attempts`, `error`, `started_at`, `finished_at`, `version`) VALUES ('bss', 'main', '', '2024-05-06 00:00:00.000', '2024-05-06 01:00:00.000', 'complete', 2, 2, 2, 0, 0, 4789927700259015582, NULL, NULL, 0, 0, 0, 0, 0, 0, '', NULL, NULL, 1);

CREATE MATERIALIZED VIEW order_versions_feed TO order_versions
(
    `source` LowCardinality(String),
    `account` LowCardinality(String),
    `owner_id` LowCardinality(String),
    `order_id` String,
    `related_order_id` String,
    `order_type` LowCardinality(String),
    `payment_status` LowCardinality(String),
    `product_code` LowCardinality(String),
    `product_type` LowCardinality(String),
    `commodity_code` LowCardinality(String),
    `subscription_type` LowCardinality(String),
    `create_time` DateTime64(3, 'UTC'),
    `payment_time` Nullable(DateTime64(3, 'UTC')),
    `currency` LowCardinality(String),
    `payment_currency` LowCardinality(String),
    `pretax_gross_amount` Nullable(Decimal(38, 12)),
    `pretax_amount` Nullable(Decimal(38, 12)),
    `pretax_amount_local` Nullable(Decimal(38, 12)),
    `tax` Nullable(Decimal(38, 12)),
    `after_tax_amount` Nullable(Decimal(38, 12)),
    `fingerprint` UInt64,
    `detail_status` LowCardinality(String),
    `items` UInt32,
    `fetched_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `is_deleted` UInt8,
    `raw` String,
    `raw_detail` String
)
COMMENT 'Copies each insert into order_rows to order_versions, so that a row is sent once'
AS SELECT
    source,
    account,
    owner_id,
    order_id,
    related_order_id,
    order_type,
    payment_status,
    product_code,
    product_type,
    commodity_code,
    subscription_type,
    create_time,
    payment_time,
    currency,
    payment_currency,
    pretax_gross_amount,
    pretax_amount,
    pretax_amount_local,
    tax,
    after_tax_amount,
    fingerprint,
    detail_status,
    items,
    fetched_at,
    version,
    is_deleted,
    raw,
    raw_detail
FROM order_rows;

CREATE VIEW order_amount_differences
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `items` UInt64 COMMENT 'Line items of the order',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax by the order, in currency',
    `items_pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Sum of the items\' amounts payable before tax, in currency; NULL = no item has one',
    `difference` Nullable(Decimal(38, 12)) COMMENT 'pretax_amount minus items_pretax_amount, in currency; NULL = one of them is not known',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax by the order, in currency',
    `items_after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Sum of the items\' amounts after tax, in currency; NULL = no item has one',
    `after_tax_difference` Nullable(Decimal(38, 12)) COMMENT 'after_tax_amount minus items_after_tax_amount, in currency; NULL = one of them is not known'
)
COMMENT 'For every order with its detail: its amounts against the sums over its line items'
AS SELECT
    orders.source AS source,
    orders.account AS account,
    orders.owner_id AS owner_id,
    orders.order_id AS order_id,
    orders.order_type AS order_type,
    orders.create_time AS create_time,
    orders.currency AS currency,
    sums.items AS items,
    orders.pretax_amount AS pretax_amount,
    sums.pretax_amount AS items_pretax_amount,
    pretax_amount - items_pretax_amount AS difference,
    orders.after_tax_amount AS after_tax_amount,
    sums.after_tax_amount AS items_after_tax_amount,
    after_tax_amount - items_after_tax_amount AS after_tax_difference
FROM orders
LEFT JOIN
(
    SELECT
        account,
        create_time,
        order_id,
        count() AS items,
        sum(pretax_amount) AS pretax_amount,
        sum(after_tax_amount) AS after_tax_amount
    FROM order_items
    GROUP BY
        account,
        create_time,
        order_id
) AS sums ON (sums.account = orders.account) AND (sums.create_time = orders.create_time) AND (sums.order_id = orders.order_id)
WHERE orders.detail_status = 'ok';

CREATE VIEW order_history
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `related_order_id` String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `payment_status` LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `commodity_code` LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    `payment_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `payment_currency` LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    `pretax_gross_amount` Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    `pretax_amount_local` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account\'s local currency (PretaxAmountLocal); NULL = none sent',
    `tax` Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    `items` UInt32 COMMENT 'How many line items the order had when this state was first stored; 0 = not fetched yet',
    `fingerprint` UInt64 COMMENT 'Hash of the list row as received; 0 = no list row was seen',
    `change` UInt64 COMMENT 'Number of this state among the states of its order, from 1, the first one seen',
    `valid_from` DateTime64(3, 'UTC') COMMENT 'When this state was first received, UTC',
    `valid_to` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the next state was first received, UTC; NULL = this is the current state',
    `version` UInt64 COMMENT 'Version with which this state was first stored',
    `raw` String COMMENT 'The list row as received (JSON)',
    `raw_detail` String COMMENT 'The order part of the detail as received (JSON)'
)
COMMENT 'One row per observed change of an order, from valid_from until valid_to'
AS SELECT
    source,
    account,
    owner_id,
    order_id,
    related_order_id,
    order_type,
    payment_status,
    product_code,
    product_type,
    commodity_code,
    subscription_type,
    create_time,
    payment_time,
    currency,
    payment_currency,
    pretax_gross_amount,
    pretax_amount,
    pretax_amount_local,
    tax,
    after_tax_amount,
    items,
    fingerprint,
    change,
    fetched_at AS valid_from,
    if(is_last, NULL, greatest(next_fetched_at, fetched_at)) AS valid_to,
    version,
    raw,
    raw_detail
FROM
(
    SELECT
        *,
        row_number() OVER w AS change,
        leadInFrame(fetched_at) OVER w AS next_fetched_at,
        leadInFrame(1, 1, 0) OVER w = 0 AS is_last
    FROM
    (
        SELECT
            *,
            row_number() OVER w AS position,
            lagInFrame(state) OVER w AS previous_state
        FROM
        (
            SELECT
                source,
                account,
                owner_id,
                order_id,
                related_order_id,
                order_type,
                payment_status,
                product_code,
                product_type,
                commodity_code,
                subscription_type,
                create_time,
                payment_time,
                currency,
                payment_currency,
                pretax_gross_amount,
                pretax_amount,
                pretax_amount_local,
                tax,
                after_tax_amount,
                fingerprint,
                items,
                fetched_at,
                version,
                is_deleted,
                raw,
                raw_detail,
                sipHash64(tuple(is_deleted, source, owner_id, related_order_id, order_type, payment_status, product_code, product_type, commodity_code, subscription_type, payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount)) AS state
            FROM order_versions
            FINAL
            UNION ALL
            SELECT
                source,
                account,
                owner_id,
                order_id,
                related_order_id,
                order_type,
                payment_status,
                product_code,
                product_type,
                commodity_code,
                subscription_type,
                create_time,
                payment_time,
                currency,
                payment_currency,
                pretax_gross_amount,
                pretax_amount,
                pretax_amount_local,
                tax,
                after_tax_amount,
                fingerprint,
                items,
                fetched_at,
                version,
                is_deleted,
                raw,
                raw_detail,
                sipHash64(tuple(is_deleted, source, owner_id, related_order_id, order_type, payment_status, product_code, product_type, commodity_code, subscription_type, payment_time, currency, payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount)) AS state
            FROM order_rows
            FINAL
        )
        WINDOW w AS (PARTITION BY account, create_time, order_id ORDER BY version ASC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
    WHERE (position = 1) OR (state != previous_state)
    WINDOW w AS (PARTITION BY account, create_time, order_id ORDER BY version ASC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE is_deleted = 0
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE VIEW order_items
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `item_id` String COMMENT 'Line item id as received (BSS: SubOrderId)',
    `related_order_id` String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `order_sub_type` LowCardinality(String) COMMENT 'Type of the line as received, such as ProductSubOrder (OrderSubType)',
    `payment_status` LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `commodity_code` LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime of the order, on all its items)',
    `payment_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `payment_currency` LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    `pretax_gross_amount` Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    `pretax_amount_local` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account\'s local currency (PretaxAmountLocal); NULL = none sent',
    `tax` Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    `instance_ids` Array(String) COMMENT 'Ids of the instances that the line is about (InstanceIDs, unpacked from its JSON text)',
    `region` LowCardinality(String) COMMENT 'Region id (Region)',
    `quantity` Nullable(Decimal(38, 12)) COMMENT 'Count of the main product, in pieces (Quantity); NULL = none sent',
    `config` String COMMENT 'Normalised configuration as received, Module:[Key:Value;] (Config)',
    `original_config` String COMMENT 'Configuration as received before normalising (OriginalConfig)',
    `operator` String COMMENT 'Id of the RAM user who placed the order (Operator); empty = none sent',
    `usage_start_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the service period, UTC (UsageStartTime); NULL = none sent',
    `usage_end_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the service period, UTC (UsageEndTime); pay-as-you-go ends about 100 years on; NULL = none sent',
    `extend_infos` Map(String, String) COMMENT 'Extra information as received (ExtendInfos)',
    `bill_module_config` String COMMENT 'Billing modules, JSON as received (BillModuleConfig)',
    `original_module_config` String COMMENT 'Modules before normalising, JSON as received (OriginalModuleConfig)',
    `fetched_at` DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    `version` UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    `raw` String COMMENT 'The line item as received (JSON)'
)
COMMENT 'Current line items of every order, one row each'
AS SELECT
    source,
    account,
    owner_id,
    order_id,
    item_id,
    related_order_id,
    order_type,
    order_sub_type,
    payment_status,
    product_code,
    product_type,
    commodity_code,
    subscription_type,
    create_time,
    payment_time,
    currency,
    payment_currency,
    pretax_gross_amount,
    pretax_amount,
    pretax_amount_local,
    tax,
    after_tax_amount,
    instance_ids,
    region,
    quantity,
    config,
    original_config,
    operator,
    usage_start_time,
    usage_end_time,
    extend_infos,
    bill_module_config,
    original_module_config,
    fetched_at,
    version,
    raw
FROM order_item_rows
FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE VIEW orders
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `related_order_id` String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `payment_status` LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `commodity_code` LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    `payment_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `payment_currency` LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    `pretax_gross_amount` Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    `pretax_amount_local` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account\'s local currency (PretaxAmountLocal); NULL = none sent',
    `tax` Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    `fingerprint` UInt64 COMMENT 'Hash of the list row as received; equal = nothing to fetch; 0 = no list row was seen',
    `detail_status` LowCardinality(String) COMMENT 'ok = the line items belong to this state of the order; pending = the detail is still to be fetched',
    `items` UInt32 COMMENT 'How many line items this state of the order has, by its detail',
    `fetched_at` DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    `version` UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    `raw` String COMMENT 'The list row as received (JSON)',
    `raw_detail` String COMMENT 'The order part of the detail as received (JSON), where the source has one beside the items'
)
COMMENT 'Current state of every order, one row each'
AS SELECT
    source,
    account,
    owner_id,
    order_id,
    related_order_id,
    order_type,
    payment_status,
    product_code,
    product_type,
    commodity_code,
    subscription_type,
    create_time,
    payment_time,
    currency,
    payment_currency,
    pretax_gross_amount,
    pretax_amount,
    pretax_amount_local,
    tax,
    after_tax_amount,
    fingerprint,
    detail_status,
    items,
    fetched_at,
    version,
    raw,
    raw_detail
FROM order_rows
FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE VIEW products
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription or PayAsYouGo, as received (SubscriptionType)',
    `product_name` String COMMENT 'Name for people (ProductName)',
    `fetched_at` DateTime64(3, 'UTC') COMMENT 'When the name was received, UTC',
    `version` UInt64 COMMENT 'Of the rows of one product the highest version is the current one'
)
COMMENT 'Product names, one row per product code, product type and subscription type'
AS SELECT
    source,
    account,
    product_code,
    product_type,
    subscription_type,
    product_name,
    fetched_at,
    version
FROM product_rows
FINAL;

CREATE VIEW rejects
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `id` String COMMENT 'Stable id: the same record rejected again is the same reject',
    `stage` LowCardinality(String) COMMENT 'Where it failed: list (a list row), detail (an order\'s detail) or item (one line of a detail)',
    `order_id` String COMMENT 'Order id, where the record has one',
    `window_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the window in which it was met, UTC',
    `create_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the order was created, UTC; NULL = could not be read',
    `reason` LowCardinality(String) COMMENT 'Short label of the cause',
    `message` String COMMENT 'What is wrong, for a person',
    `raw` String COMMENT 'The record as received',
    `first_seen` DateTime64(3, 'UTC') COMMENT 'When it was first rejected, UTC',
    `last_seen` DateTime64(3, 'UTC') COMMENT 'When it was last rejected, UTC',
    `attempts` UInt32 COMMENT 'How often it was tried',
    `next_attempt` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it may be tried again, UTC; NULL = with the next walk of its window',
    `accepted_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When an operator accepted it, UTC; NULL = not accepted',
    `accepted_by` String COMMENT 'Who accepted it',
    `note` String COMMENT 'What the operator wrote',
    `resolved` UInt8 COMMENT '1 = it became a row after all',
    `version` UInt64 COMMENT 'Of the rows of one reject the highest version is the current one',
    `status` LowCardinality(String) COMMENT 'open, accepted (by an operator) or resolved (it became a row)'
)
COMMENT 'Records that could not become rows, one row each, with the payload as received'
AS SELECT
    source,
    account,
    owner_id,
    id,
    stage,
    order_id,
    window_start,
    create_time,
    reason,
    message,
    raw,
    first_seen,
    last_seen,
    attempts,
    next_attempt,
    accepted_at,
    accepted_by,
    note,
    resolved,
    version,
    multiIf(resolved = 1, 'resolved', isNotNull(accepted_at), 'accepted', 'open') AS status
FROM reject_rows
FINAL;

CREATE VIEW sync_windows
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `window_start` DateTime64(3, 'UTC') COMMENT 'Start of the window, inclusive, UTC',
    `window_end` DateTime64(3, 'UTC') COMMENT 'End of the window, exclusive, UTC',
    `verdict` LowCardinality(String) COMMENT 'complete, open (not past yet), short (the counts do not agree) or failed',
    `listed` UInt32 COMMENT 'Orders that the listing showed inside the window',
    `stored` UInt32 COMMENT 'Orders of the window that are stored',
    `items` UInt32 COMMENT 'Line items of these orders',
    `rejected` UInt32 COMMENT 'Records of the window that could not become rows, see rejects',
    `pending` UInt32 COMMENT 'Stored orders whose detail is still to be fetched',
    `id_digest` UInt64 COMMENT 'XOR of xxHash64 over the ids of the stored orders; groupBitXor(xxHash64(order_id)) over orders must agree',
    `listing_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the listing that covered the window, UTC; it may cover many windows',
    `listing_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the listing that covered the window, UTC',
    `total_first` UInt32 COMMENT 'TotalCount of the listing when it was first read',
    `total_last` UInt32 COMMENT 'TotalCount of the listing when it was last read',
    `pages` UInt32 COMMENT 'Pages read; the pages of a listing are shared out over its windows',
    `list_calls` UInt32 COMMENT 'List calls made, shared out in the same way',
    `detail_calls` UInt32 COMMENT 'Detail calls made',
    `attempts` UInt32 COMMENT 'Walks of this window since it was last complete',
    `error` String COMMENT 'What went wrong, for a person; empty = nothing',
    `started_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk began, UTC',
    `finished_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When the walk ended, UTC',
    `version` UInt64 COMMENT 'Of the rows of one window the highest version is the current one'
)
COMMENT 'The ledger: one row per account, owner and window, with counts, digest and verdict'
AS SELECT
    source,
    account,
    owner_id,
    window_start,
    window_end,
    verdict,
    listed,
    stored,
    items,
    rejected,
    pending,
    id_digest,
    listing_start,
    listing_end,
    total_first,
    total_last,
    pages,
    list_calls,
    detail_calls,
    attempts,
    error,
    started_at,
    finished_at,
    version
FROM sync_window_rows
FINAL;

CREATE VIEW window_audit
(
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `window_start` DateTime64(3, 'UTC') COMMENT 'Start of the window, inclusive, UTC',
    `window_end` DateTime64(3, 'UTC') COMMENT 'End of the window, exclusive, UTC',
    `verdict` LowCardinality(String) COMMENT 'complete, open (not past yet), short (the counts do not agree) or failed',
    `ledger_stored` UInt64 COMMENT 'Orders of the window by the ledger',
    `actual_stored` UInt64 COMMENT 'Orders of the window that are stored now',
    `ledger_items` UInt64 COMMENT 'Line items of the window by the ledger',
    `actual_items` UInt64 COMMENT 'Line items of the window that are stored now',
    `ledger_digest` UInt64 COMMENT 'XOR of xxHash64 over the order ids, by the ledger',
    `actual_digest` UInt64 COMMENT 'XOR of xxHash64 over the order ids that are stored now',
    `agrees` UInt8 COMMENT '1 = the copy holds exactly what the ledger recorded: count, items and digest are equal'
)
COMMENT 'For every window of the ledger: does the copy still hold what was recorded? Rows with agrees = 0 need a look'
AS WITH
    (
        SELECT groupUniqArray(tuple(length, positiveModulo(start, length)))
        FROM
        (
            SELECT
                toUnixTimestamp64Second(window_start) AS start,
                toUnixTimestamp64Second(window_end) - start AS length
            FROM sync_windows
            WHERE window_end > window_start
        )
    ) AS grids
SELECT
    ledger.account AS account,
    ledger.owner_id AS owner_id,
    ledger.window_start AS window_start,
    ledger.window_end AS window_end,
    ledger.verdict AS verdict,
    ledger.stored AS ledger_stored,
    actual.orders AS actual_stored,
    ledger.items AS ledger_items,
    actual.items AS actual_items,
    ledger.id_digest AS ledger_digest,
    actual.digest AS actual_digest,
    (ledger_stored = actual_stored) AND (ledger_items = actual_items) AND (ledger_digest = actual_digest) AS agrees
FROM sync_windows AS ledger
LEFT JOIN
(
    SELECT
        account,
        owner_id,
        grid.1 AS length,
        second - positiveModulo(second - (grid.2), grid.1) AS start,
        sum(is_order) AS orders,
        sum(is_item) AS items,
        groupBitXor(digest) AS digest
    FROM
    (
        SELECT
            account,
            owner_id,
            toUnixTimestamp64Second(create_time) AS second,
            1 AS is_order,
            0 AS is_item,
            xxHash64(order_id) AS digest
        FROM orders
        UNION ALL
        SELECT
            account,
            owner_id,
            toUnixTimestamp64Second(create_time) AS second,
            0 AS is_order,
            1 AS is_item,
            toUInt64(0) AS digest
        FROM order_items
    )
    ARRAY JOIN grids AS grid
    GROUP BY
        account,
        owner_id,
        length,
        start
) AS actual ON (actual.account = ledger.account) AND (actual.owner_id = ledger.owner_id) AND (actual.start = toUnixTimestamp64Second(ledger.window_start)) AND (actual.length = (toUnixTimestamp64Second(ledger.window_end) - toUnixTimestamp64Second(ledger.window_start)));

