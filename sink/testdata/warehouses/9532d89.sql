CREATE TABLE cancellation_rows
(
    `source` LowCardinality(String) COMMENT 'Kind of source: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `id` String COMMENT 'Id of the attempt',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `requested_at` DateTime64(3, 'UTC') COMMENT 'When the cancellation was asked of the vendor, UTC',
    `requested_by` String COMMENT 'Who asked for it: user and host',
    `outcome` LowCardinality(String) COMMENT 'cancelled, refused, unknown (no answer came) or not asked; asked = the program ended before it knew more',
    `request_id` String COMMENT 'The vendor\'s id of the request (RequestId)',
    `error` String COMMENT 'Why it was not cancelled, for a person',
    `payment_status` LowCardinality(String) COMMENT 'What the order\'s detail said afterwards, as received (PaymentStatus); empty = not learned',
    `version` UInt64 COMMENT 'Of the rows of one attempt the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, id)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Storage of the cancellations. Read the view cancellations instead';

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

CREATE TABLE sync_leases
(
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `holder` String COMMENT 'Random id of the daemon, made when it started',
    `process` String COMMENT 'Where it runs, for a person: host name and process id',
    `since` DateTime64(6, 'UTC') COMMENT 'When it claimed the account, UTC, by the clock of the server; of the live claims the oldest one leads',
    `renewed_at` DateTime64(6, 'UTC') COMMENT 'When it last said that it lives, UTC, by the clock of the server; a claim that is not renewed within 40 seconds is dead',
    `released` UInt8 COMMENT '1 = given back at a clean stop'
)
ENGINE = ReplacingMergeTree(renewed_at)
ORDER BY (account, holder)
TTL toDateTime(renewed_at) + toIntervalDay(1)
SETTINGS index_granularity = 8192
COMMENT 'Claims of daemons on accounts, one row per account and daemon: the oldest live one works, the others stand by';

CREATE TABLE sync_run_rows
(
    `id` String COMMENT 'Id of the run, as on its log lines',
    `kind` LowCardinality(String) COMMENT 'What ran: tick (scheduled), backfill, verify or replay',
    `state` LowCardinality(String) COMMENT 'running, ok, failed (something was left undone) or stopped (it was told to)',
    `process` String COMMENT 'Host name and process id of the program that ran it',
    `accounts` Array(String) COMMENT 'Names of the accounts that it was for',
    `range_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the creation times that it was for, inclusive, UTC; NULL = each account\'s own ledger',
    `range_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the creation times that it was for, exclusive, UTC; NULL = each account\'s own ledger',
    `started_at` DateTime64(3, 'UTC') COMMENT 'When it began, UTC',
    `updated_at` DateTime64(3, 'UTC') COMMENT 'When it last gave a sign of life, UTC: every ten seconds while it runs',
    `finished_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, UTC; NULL = it runs, or its process ended without a word',
    `windows_planned` UInt64 COMMENT 'Windows to be walked or verified; of a replay, spans of windows',
    `windows_done` UInt64 COMMENT 'Of these, how many are done, whatever their verdict',
    `orders` UInt64 COMMENT 'Orders that the listings showed',
    `changed` UInt64 COMMENT 'Of these, how many were new or changed',
    `items` UInt64 COMMENT 'Line items written',
    `rejected` UInt64 COMMENT 'Records that were left without a row at its end',
    `list_calls` UInt64 COMMENT 'List calls made',
    `detail_calls` UInt64 COMMENT 'Orders whose detail was asked for',
    `error` String COMMENT 'What it left undone, for a person; empty = nothing',
    `version` UInt64 COMMENT 'Of the rows of one run the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (started_at, id)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Storage of the history of runs. Read the view sync_runs instead';

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

CREATE TABLE tracked_order_rows
(
    `source` LowCardinality(String) COMMENT 'Kind of source: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as it was given',
    `added_at` DateTime64(3, 'UTC') COMMENT 'When somebody asked for it, UTC',
    `added_by` String COMMENT 'Who asked for it: user and host',
    `version` UInt64 COMMENT 'Of the rows of one order the highest version is the current one'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account, owner_id, order_id)
SETTINGS non_replicated_deduplication_window = 1000, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, index_granularity = 8192
COMMENT 'Storage of the tracked orders. Read the view tracked_orders instead';

;

INSERT INTO goose_db_version (`version_id`, `is_applied`, `date`, `tstamp`) VALUES (0, 1, '2026-11-27', '2026-11-27 01:10:01'), (1, 1, '2026-11-27', '2026-11-27 01:10:01'), (2, 1, '2026-11-27', '2026-11-27 01:10:01'), (3, 1, '2026-11-27', '2026-11-27 01:10:01'), (4, 1, '2026-11-27', '2026-11-27 01:10:01'), (5, 1, '2026-11-27', '2026-11-27 01:10:01'), (6, 1, '2026-11-27', '2026-11-27 01:10:01'), (7, 1, '2026-11-27', '2026-11-27 01:10:01'), (8, 1, '2026-11-27', '2026-11-27 01:10:01'), (9, 1, '2026-11-27', '2026-11-27 01:10:01'), (10, 1, '2026-11-27', '2026-11-27 01:10:01'), (11, 1, '2026-11-27', '2026-11-27 01:10:01'), (12, 1, '2026-11-27', '2026-11-27 01:10:01'), (13, 1, '2026-11-27', '2026-11-27 01:10:01'), (14, 1, '2026-11-27', '2026-11-27 01:10:01');

INSERT INTO order_item_rows (`source`, `account`, `owner_id`, `order_id`, `item_id`, `related_order_id`, `order_type`, `order_sub_type`, `payment_status`, `product_code`, `product_type`, `commodity_code`, `subscription_type`, `create_time`, `payment_time`, `currency`, `payment_currency`, `pretax_gross_amount`, `pretax_amount`, `pretax_amount_local`, `tax`, `after_tax_amount`, `instance_ids`, `region`, `quantity`, `config`, `original_config`, `operator`, `usage_start_time`, `usage_end_time`, `extend_infos`, `bill_module_config`, `original_module_config`, `fetched_at`, `version`, `is_deleted`, `raw`) VALUES ('bss', 'main', '', '211059788200007', '211059788200007-1', '', 'New', 'ProductSubOrder', 'Unpaid', 'rds', '', '', '', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', NULL, 10.5, NULL, NULL, NULL, ['rm-1'], 'cn-hangzhou', 1, '', '', '', '2024-05-06 00:07:00.000', '2124-05-06 00:07:00.000', {}, '', '', '2024-05-06 01:07:00.000', 1, 0, '{}'), ('bss', 'main', '', '211059788200008', '211059788200008-1', '', 'New', 'ProductSubOrder', 'Paid', 'rds', '', '', '', '2024-05-06 00:08:00.000', '2024-05-06 00:08:01.000', 'CNY', '', NULL, 10.5, NULL, NULL, NULL, ['rm-1'], 'cn-hangzhou', 1, '', '', '', '2024-05-06 00:08:00.000', '2124-05-06 00:08:00.000', {}, '', '', '2024-05-06 01:08:00.000', 1, 0, '{}'), ('unicloud', 'a\'c\\count', '1234567890123456', 'o-“ünï” 订单 \0 \t\n\\\'"` 🧾', '1', 'r', 'Renew', 'sub', 'Unpaid', 'ecs', 't', 'vm', 's', '2024-02-29 23:59:59.999', '1900-01-01 00:00:00.000', 'CNY', 'JPY', 10000000000000000000000000, 0, 9223372036854775807, -9223372036854775808, 0.1, ['i-1','','“ünï” 订单 \0 \t\n\\\'"` 🧾'], 'cn-shanghai', 1.5, '“ünï” 订单 \0 \t\n\\\'"` 🧾', 'Module:[Key:Val;]', 'ram', '2022-01-01 00:00:00.000', '2122-01-01 16:00:00.000', {'a':'1','':'','“ünï” 订单 \0 \t\n\\\'"` 🧾':'“ünï” 订单 \0 \t\n\\\'"` 🧾'}, '{}', '[]', '2299-12-31 23:59:59.999', 1, 0, '{"a":1}'), ('unicloud', 'a\'c\\count', '1234567890123456', 'o-“ünï” 订单 \0 \t\n\\\'"` 🧾', '2', '', '', '', '', '', '', '', '', '2024-02-29 23:59:59.999', NULL, '', '', NULL, NULL, NULL, NULL, NULL, [], '', NULL, '', '', '', NULL, NULL, {}, '', '', '1900-01-01 00:00:00.000', 0, 0, '');

INSERT INTO order_rows (`source`, `account`, `owner_id`, `order_id`, `related_order_id`, `order_type`, `payment_status`, `product_code`, `product_type`, `commodity_code`, `subscription_type`, `create_time`, `payment_time`, `currency`, `payment_currency`, `pretax_gross_amount`, `pretax_amount`, `pretax_amount_local`, `tax`, `after_tax_amount`, `fingerprint`, `detail_status`, `items`, `fetched_at`, `version`, `is_deleted`, `raw`, `raw_detail`) VALUES ('bss', 'main', '', '211059788200007', '', 'New', 'Paid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 8, 'ok', 0, '2024-05-06 02:07:00.000', 2, 0, '{"OrderId":"211059788200007"}', ''), ('bss', 'main', '', '211059788200007', '', 'New', 'Unpaid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 8, 'ok', 0, '2024-05-06 01:07:00.000', 1, 0, '{"OrderId":"211059788200007"}', ''), ('bss', 'main', '', '211059788200008', '', 'New', 'Paid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:08:00.000', '2024-05-06 00:08:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 9, 'ok', 0, '2024-05-06 01:08:00.000', 1, 0, '{"OrderId":"211059788200008"}', ''), ('unicloud', 'a\'c\\count', '1234567890123456', 'o-“ünï” 订单 \0 \t\n\\\'"` 🧾', 'r', 'Renew', 'Unpaid', 'ecs', '“ünï” 订单 \0 \t\n\\\'"` 🧾', 'vm', 'PayAsYouGo', '2024-02-29 23:59:59.999', '2299-12-31 23:59:59.999', 'CNY', 'USD', 99999999999999999999999999.999999999999, -99999999999999999999999999.999999999999, 0.000000000001, -0.000000000001, 12345678901234567.89, 18446744073709551615, 'pending', 4294967295, '1900-01-01 00:00:00.000', 18446744073709551614, 0, '{}', '“ünï” 订单 \0 \t\n\\\'"` 🧾');

INSERT INTO order_versions (`source`, `account`, `owner_id`, `order_id`, `related_order_id`, `order_type`, `payment_status`, `product_code`, `product_type`, `commodity_code`, `subscription_type`, `create_time`, `payment_time`, `currency`, `payment_currency`, `pretax_gross_amount`, `pretax_amount`, `pretax_amount_local`, `tax`, `after_tax_amount`, `fingerprint`, `detail_status`, `items`, `fetched_at`, `version`, `is_deleted`, `raw`, `raw_detail`) VALUES ('bss', 'main', '', '211059788200007', '', 'New', 'Paid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 8, 'ok', 0, '2024-05-06 02:07:00.000', 2, 0, '{"OrderId":"211059788200007"}', ''), ('bss', 'main', '', '211059788200007', '', 'New', 'Unpaid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:07:00.000', '2024-05-06 00:07:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 8, 'ok', 0, '2024-05-06 01:07:00.000', 1, 0, '{"OrderId":"211059788200007"}', ''), ('bss', 'main', '', '211059788200008', '', 'New', 'Paid', 'rds', 'rds', 'rds', 'Subscription', '2024-05-06 00:08:00.000', '2024-05-06 00:08:01.000', 'CNY', '', 12, 10.5, NULL, NULL, NULL, 9, 'ok', 0, '2024-05-06 01:08:00.000', 1, 0, '{"OrderId":"211059788200008"}', ''), ('unicloud', 'a\'c\\count', '1234567890123456', 'o-“ünï” 订单 \0 \t\n\\\'"` 🧾', 'r', 'Renew', 'Unpaid', 'ecs', '“ünï” 订单 \0 \t\n\\\'"` 🧾', 'vm', 'PayAsYouGo', '2024-02-29 23:59:59.999', '2299-12-31 23:59:59.999', 'CNY', 'USD', 99999999999999999999999999.999999999999, -99999999999999999999999999.999999999999, 0.000000000001, -0.000000000001, 12345678901234567.89, 18446744073709551615, 'pending', 4294967295, '1900-01-01 00:00:00.000', 18446744073709551614, 0, '{}', '“ünï” 订单 \0 \t\n\\\'"` 🧾');

;

INSERT INTO reject_rows (`source`, `account`, `owner_id`, `id`, `stage`, `order_id`, `window_start`, `create_time`, `reason`, `message`, `raw`, `first_seen`, `last_seen`, `attempts`, `next_attempt`, `accepted_at`, `accepted_by`, `note`, `resolved`, `version`) VALUES ('bss', 'main', '', 'r1', 'list', '', NULL, NULL, 'malformed', '', '{', '2024-05-06 00:00:00.000', '2024-05-06 00:00:00.000', 0, NULL, NULL, '', '', 0, 1);

;

;

INSERT INTO sync_verifications (`source`, `account`, `owner_id`, `range_start`, `range_end`, `whole`, `deep`, `windows`, `calls`, `differences`, `repaired`, `error`, `started_at`, `finished_at`) VALUES ('bss', 'main', '', '2024-05-06 00:00:00.000', '2024-05-06 01:00:00.000', 0, 1, 1, 0, 2, 0, '', '2024-05-06 00:00:00.000', '2024-05-06 00:01:00.000'), ('bss', 'main', '', '2024-05-06 00:00:00.000', '2024-05-06 01:00:00.000', 1, 0, 1, 0, 0, 0, '', '2024-05-06 00:00:00.000', '2024-05-06 00:00:00.000');

INSERT INTO sync_window_rows (`source`, `account`, `owner_id`, `window_start`, `window_end`, `verdict`, `listed`, `stored`, `items`, `rejected`, `pending`, `id_digest`, `listing_start`, `listing_end`, `total_first`, `total_last`, `pages`, `list_calls`, `detail_calls`, `attempts`, `error`, `started_at`, `finished_at`, `version`) VALUES ('bss', 'main', '', '2024-05-06 00:00:00.000', '2024-05-06 01:00:00.000', 'complete', 2, 2, 2, 0, 0, 4789927700259015582, NULL, NULL, 0, 0, 0, 0, 0, 0, '', NULL, NULL, 1);

;

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

CREATE VIEW cancellations
(
    `source` LowCardinality(String) COMMENT 'Kind of source: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `id` String COMMENT 'Id of the attempt',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `requested_at` DateTime64(3, 'UTC') COMMENT 'When the cancellation was asked of the vendor, UTC',
    `requested_by` String COMMENT 'Who asked for it: user and host',
    `outcome` LowCardinality(String) COMMENT 'cancelled, refused, unknown (no answer came) or not asked; asked = the program ended before it knew more',
    `request_id` String COMMENT 'The vendor\'s id of the request (RequestId)',
    `error` String COMMENT 'Why it was not cancelled, for a person',
    `payment_status` LowCardinality(String) COMMENT 'What the order\'s detail said afterwards, as received (PaymentStatus); empty = not learned'
)
COMMENT 'Who had which order cancelled at the vendor, one row an attempt: the only writes to a vendor that there are'
AS SELECT
    source,
    account,
    owner_id,
    id,
    order_id,
    requested_at,
    requested_by,
    outcome,
    request_id,
    error,
    payment_status
FROM cancellation_rows
FINAL;

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

CREATE VIEW order_chains
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `root_order_id` String COMMENT 'The order at which the chain begins: the same for all of its orders',
    `depth` UInt64 COMMENT 'How many steps the order is away from the beginning: 0 = it is the beginning',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `related_order_id` String COMMENT 'Order that this one refers to (RelatedOrderId); of a beginning it is empty or not stored',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `payment_status` LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency, with the vendor\'s sign (PretaxAmount); NULL = none sent',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency, with the vendor\'s sign (AfterTaxAmount); NULL = none sent'
)
COMMENT 'Orders that refer to one another, each with the order at which its chain begins. Orders that stand alone have no row'
AS WITH RECURSIVE
    chain AS
    (
        SELECT
            source,
            account,
            owner_id,
            order_id AS root_order_id,
            toUInt64(0) AS depth,
            order_id,
            related_order_id,
            order_type,
            payment_status,
            product_code,
            create_time,
            currency,
            pretax_amount,
            after_tax_amount
        FROM orders
        WHERE ((account, order_id) IN (
            SELECT
                account,
                related_order_id
            FROM orders
            WHERE related_order_id != ''
        )) AND ((related_order_id = '') OR ((account, related_order_id) NOT IN (
            SELECT
                account,
                order_id
            FROM orders
            WHERE (account, order_id) IN (
                SELECT
                    account,
                    related_order_id
                FROM orders
                WHERE related_order_id != ''
            )
        )))
        UNION ALL
        SELECT
            o.source,
            o.account,
            o.owner_id,
            chain.root_order_id,
            chain.depth + 1,
            o.order_id,
            o.related_order_id,
            o.order_type,
            o.payment_status,
            o.product_code,
            o.create_time,
            o.currency,
            o.pretax_amount,
            o.after_tax_amount
        FROM orders AS o
        INNER JOIN chain ON (chain.account = o.account) AND (chain.order_id = o.related_order_id)
    )
SELECT *
FROM chain;

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

CREATE VIEW order_instances
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `instance_id` String COMMENT 'Id of an instance that the line is about (one of InstanceIDs)',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `item_id` String COMMENT 'Line item id as received (BSS: SubOrderId)',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `order_sub_type` LowCardinality(String) COMMENT 'Type of the line as received, such as ProductSubOrder (OrderSubType)',
    `payment_status` LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_name` String COMMENT 'Name of the product for people, from the account\'s product list (ProductName); empty = not in the list, or no list was loaded',
    `region` LowCardinality(String) COMMENT 'Region id (Region)',
    `operator` String COMMENT 'Id of the RAM user who placed the order (Operator); empty = none sent',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    `usage_start_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the service period, UTC (UsageStartTime); NULL = none sent',
    `usage_end_time` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the service period, UTC (UsageEndTime); pay-as-you-go ends about 100 years on; NULL = none sent'
)
COMMENT 'One row per line item and instance: which orders an instance comes from. Lines without instances have no row'
AS SELECT
    source,
    account,
    owner_id,
    instance_id,
    order_id,
    item_id,
    order_type,
    order_sub_type,
    payment_status,
    product_code,
    product_name,
    region,
    operator,
    create_time,
    usage_start_time,
    usage_end_time
FROM order_items
ARRAY JOIN arrayDistinct(instance_ids) AS instance_id;

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
    `raw` String COMMENT 'The line item as received (JSON)',
    `product_name` String COMMENT 'Name of the product for people, from the account\'s product list (ProductName); empty = not in the list, or no list was loaded'
)
COMMENT 'Current line items of every order, one row each'
AS WITH
    (
        SELECT tuple(groupArray(cityHash64(account, product_code, product_type, lower(subscription_type))), groupArray(product_name))
        FROM products
    ) AS product_list
SELECT
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
    raw,
    transform(cityHash64(account, product_code, product_type, lower(subscription_type)), product_list.1, product_list.2, '') AS product_name
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
    `raw_detail` String COMMENT 'The order part of the detail as received (JSON), where the source has one beside the items',
    `product_name` String COMMENT 'Name of the product for people, from the account\'s product list (ProductName); empty = not in the list, or no list was loaded'
)
COMMENT 'Current state of every order, one row each'
AS WITH
    (
        SELECT tuple(groupArray(cityHash64(account, product_code, product_type, lower(subscription_type))), groupArray(product_name))
        FROM products
    ) AS product_list
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
    detail_status,
    items,
    fetched_at,
    version,
    raw,
    raw_detail,
    transform(cityHash64(account, product_code, product_type, lower(subscription_type)), product_list.1, product_list.2, '') AS product_name
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

CREATE VIEW spend
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `item_id` String COMMENT 'Line item id as received (BSS: SubOrderId)',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime of the order, on all its items)',
    `day` Date COMMENT 'Day on which the order was created, UTC (CreateTime); for another zone group by toDate(create_time, \'Asia/Shanghai\')',
    `kind` LowCardinality(String) COMMENT 'paid, refund, unpaid, cancelled, or other where the status is none of these (PaymentStatus, OrderType, OrderSubType)',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_type` LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    `product_name` String COMMENT 'Name of the product for people, from the account\'s product list (ProductName); empty = not in the list, or no list was loaded',
    `subscription_type` LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    `region` LowCardinality(String) COMMENT 'Region id (Region)',
    `operator` String COMMENT 'Id of the RAM user who placed the order (Operator); empty = none sent: the account itself',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency): group by it, amounts of two currencies have no sum',
    `paid` Nullable(Decimal(38, 12)) COMMENT 'Amount before tax of what is paid for, in currency (PretaxAmount); 0 for every other kind; NULL = none sent',
    `refunded` Nullable(Decimal(38, 12)) COMMENT 'Amount before tax that a refund gave back, in currency, never negative (PretaxAmount without its sign); 0 for every other kind; NULL = none sent',
    `net` Nullable(Decimal(38, 12)) COMMENT 'paid minus refunded: what was spent, before tax, in currency; NULL = none sent',
    `net_after_tax` Nullable(Decimal(38, 12)) COMMENT 'The same after tax, in currency (AfterTaxAmount); NULL = none sent',
    `unpaid` Nullable(Decimal(38, 12)) COMMENT 'Amount before tax that is still to be paid, in currency (PretaxAmount); 0 for every other kind; NULL = none sent'
)
COMMENT 'Money by line item: paid, refunded, unpaid. Cancelled orders count for nothing. Group by currency and anything else; orders whose detail is pending come with it'
AS WITH
    (lower(order_type) = 'refund') OR (lower(order_sub_type) = 'refundsuborder') AS is_refund,
    (NOT is_refund) AND (lower(payment_status) = 'paid') AS is_paid,
    (NOT is_refund) AND (lower(payment_status) = 'unpaid') AS is_unpaid,
    toDecimal128(0, 12) AS nothing
SELECT
    source,
    account,
    owner_id,
    order_id,
    item_id,
    create_time,
    toDate(create_time) AS day,
    multiIf(is_refund, 'refund', (lower(payment_status) IN ('paid', 'unpaid', 'cancelled')), lower(payment_status), 'other') AS kind,
    order_type,
    product_code,
    product_type,
    product_name,
    subscription_type,
    region,
    operator,
    currency,
    if(is_paid, pretax_amount, nothing) AS paid,
    if(is_refund, abs(pretax_amount), nothing) AS refunded,
    multiIf(is_paid, pretax_amount, is_refund, -abs(pretax_amount), nothing) AS net,
    multiIf(is_paid, after_tax_amount, is_refund, -abs(after_tax_amount), nothing) AS net_after_tax,
    if(is_unpaid, pretax_amount, nothing) AS unpaid
FROM order_items;

CREATE VIEW subscriptions
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `instance_id` String COMMENT 'Id of the instance (one of InstanceIDs); empty where the line lists none, as resource packages do',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_name` String COMMENT 'Name of the product for people, from the account\'s product list (ProductName); empty = not in the list, or no list was loaded',
    `region` LowCardinality(String) COMMENT 'Region id (Region)',
    `service_end` DateTime64(3, 'UTC') COMMENT 'Until when the service is paid for, UTC: the latest UsageEndTime of the instance\'s paid lines that were not refunded since',
    `days_left` Int64 COMMENT 'Days from today until then, by the calendar of UTC; negative = it ended',
    `order_id` String COMMENT 'The order that the end comes from (OrderId): the newest renewal, or the first purchase',
    `item_id` String COMMENT 'Its line item (BSS: SubOrderId)',
    `order_type` LowCardinality(String) COMMENT 'Its type as received, such as New or Renew (OrderType); case varies by API',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When that order was created, UTC (CreateTime)',
    `orders` UInt64 COMMENT 'Orders that paid for the instance and reach to within 30 days of now'
)
COMMENT 'Subscribed instances that are in service, or ended within the last 30 days, one row each, with the day until which they are paid for'
AS WITH
    (lower(order_type) = 'refund') OR (lower(order_sub_type) = 'refundsuborder') AS is_refund
SELECT
    any(lines.source) AS source,
    lines.account AS account,
    lines.owner_id AS owner_id,
    lines.instance_id AS instance_id,
    argMax(lines.product_code, lines.rank) AS product_code,
    argMax(lines.product_name, lines.rank) AS product_name,
    argMax(lines.region, lines.rank) AS region,
    max(lines.usage_end_time) AS service_end,
    dateDiff('day', now64(3, 'UTC'), service_end, 'UTC') AS days_left,
    argMax(lines.order_id, lines.rank) AS order_id,
    argMax(lines.item_id, lines.rank) AS item_id,
    argMax(lines.order_type, lines.rank) AS order_type,
    argMax(lines.create_time, lines.rank) AS create_time,
    uniqExact(lines.order_id) AS orders
FROM
(
    SELECT
        source,
        account,
        owner_id,
        order_id,
        item_id,
        order_type,
        product_code,
        product_name,
        region,
        create_time,
        assumeNotNull(usage_end_time) AS usage_end_time,
        tuple(usage_end_time, create_time, item_id) AS rank,
        instance_id,
        if(instance_id = '', item_id, '') AS alone
    FROM order_items
    ARRAY JOIN if(empty(instance_ids), [''], arrayDistinct(instance_ids)) AS instance_id
    WHERE (NOT is_refund) AND (lower(payment_status) = 'paid') AND (lower(subscription_type) = 'subscription') AND (order_items.usage_end_time > (now64(3, 'UTC') - toIntervalDay(30)))
) AS lines
LEFT JOIN
(
    SELECT
        account,
        owner_id,
        instance_id,
        max(create_time) AS refunded_at
    FROM order_items
    ARRAY JOIN instance_ids AS instance_id
    WHERE is_refund
    GROUP BY
        account,
        owner_id,
        instance_id
) AS refunds_of_instances ON (refunds_of_instances.account = lines.account) AND (refunds_of_instances.owner_id = lines.owner_id) AND (refunds_of_instances.instance_id = lines.instance_id)
LEFT JOIN
(
    SELECT
        account,
        owner_id,
        related_order_id,
        max(create_time) AS refunded_at
    FROM order_items
    WHERE is_refund AND empty(instance_ids) AND (related_order_id != '')
    GROUP BY
        account,
        owner_id,
        related_order_id
) AS refunds_of_orders ON (refunds_of_orders.account = lines.account) AND (refunds_of_orders.owner_id = lines.owner_id) AND (refunds_of_orders.related_order_id = lines.order_id)
WHERE (coalesce(refunds_of_instances.refunded_at, toDateTime64(0, 3, 'UTC')) <= lines.create_time) AND (coalesce(refunds_of_orders.refunded_at, toDateTime64(0, 3, 'UTC')) <= lines.create_time)
GROUP BY
    account,
    owner_id,
    instance_id,
    alone;

CREATE VIEW sync_runs
(
    `id` String COMMENT 'Id of the run, as on its log lines',
    `kind` LowCardinality(String) COMMENT 'What ran: tick (scheduled), backfill, verify or replay',
    `state` LowCardinality(String) COMMENT 'running, ok, failed (something was left undone) or stopped (it was told to)',
    `process` String COMMENT 'Host name and process id of the program that ran it',
    `accounts` Array(String) COMMENT 'Names of the accounts that it was for',
    `range_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the creation times that it was for, inclusive, UTC; NULL = each account\'s own ledger',
    `range_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the creation times that it was for, exclusive, UTC; NULL = each account\'s own ledger',
    `started_at` DateTime64(3, 'UTC') COMMENT 'When it began, UTC',
    `updated_at` DateTime64(3, 'UTC') COMMENT 'When it last gave a sign of life, UTC: every ten seconds while it runs',
    `finished_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended, UTC; NULL = it runs, or its process ended without a word',
    `windows_planned` UInt64 COMMENT 'Windows to be walked or verified; of a replay, spans of windows',
    `windows_done` UInt64 COMMENT 'Of these, how many are done, whatever their verdict',
    `orders` UInt64 COMMENT 'Orders that the listings showed',
    `changed` UInt64 COMMENT 'Of these, how many were new or changed',
    `items` UInt64 COMMENT 'Line items written',
    `rejected` UInt64 COMMENT 'Records that were left without a row at its end',
    `list_calls` UInt64 COMMENT 'List calls made',
    `detail_calls` UInt64 COMMENT 'Orders whose detail was asked for',
    `error` String COMMENT 'What it left undone, for a person; empty = nothing',
    `version` UInt64 COMMENT 'Of the rows of one run the highest version is the current one'
)
COMMENT 'The history of runs: ticks, backfills, verifications and replays, one row each'
AS SELECT
    id,
    kind,
    state,
    process,
    accounts,
    range_start,
    range_end,
    started_at,
    updated_at,
    finished_at,
    windows_planned,
    windows_done,
    orders,
    changed,
    items,
    rejected,
    list_calls,
    detail_calls,
    error,
    version
FROM sync_run_rows
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

CREATE VIEW tracked_orders
(
    `source` LowCardinality(String) COMMENT 'Kind of source: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as it was given',
    `added_at` DateTime64(3, 'UTC') COMMENT 'When somebody asked for it, UTC',
    `added_by` String COMMENT 'Who asked for it: user and host'
)
COMMENT 'Orders that are kept because somebody asked for them by their ids, one row each'
AS SELECT
    source,
    account,
    owner_id,
    order_id,
    added_at,
    added_by
FROM tracked_order_rows
FINAL;

CREATE VIEW unpaid_orders
(
    `source` LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    `account` LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    `owner_id` LowCardinality(String) COMMENT 'Owner within the account: a reseller\'s customer or a member account; empty for the account\'s own orders',
    `order_id` String COMMENT 'Order id as received (OrderId)',
    `order_type` LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade (OrderType); case varies by API',
    `product_code` LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    `product_name` String COMMENT 'Name of the product for people, from the account\'s product list (ProductName); empty = not in the list, or no list was loaded',
    `create_time` DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    `age_hours` Int64 COMMENT 'Whole hours since then, at the moment of the query',
    `currency` LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    `pretax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    `after_tax_amount` Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    `is_anomaly` UInt8 COMMENT '1 = older than 8 days: the vendor should have cancelled it after 7',
    `fetched_at` DateTime64(3, 'UTC') COMMENT 'When the order was last seen to change, UTC'
)
COMMENT 'Orders that wait for their payment, with their age; is_anomaly marks those that should have been cancelled by now'
AS SELECT
    source,
    account,
    owner_id,
    order_id,
    order_type,
    product_code,
    product_name,
    create_time,
    age('hour', create_time, now64(3, 'UTC')) AS age_hours,
    currency,
    pretax_amount,
    after_tax_amount,
    create_time < (now64(3, 'UTC') - toIntervalDay(8)) AS is_anomaly,
    fetched_at
FROM orders
WHERE lower(payment_status) = 'unpaid';

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

