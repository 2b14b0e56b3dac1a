-- +goose NO TRANSACTION
-- +goose Up

-- orders and order_items again, with the names of the products. A code alone names no product: account, code, type and
-- subscription type together do. The list is small and is read once a query, as a constant in which each row is looked
-- up. That is no join, so no row can vanish or come twice (I9), whatever the list holds, and a query that does not ask
-- for the name pays a few milliseconds at the most. The detail of an order may spell the subscription type in lower case.

CREATE OR REPLACE VIEW orders
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    related_order_id String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    payment_status LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_type LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    commodity_code LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    subscription_type LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime)',
    payment_time Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    payment_currency LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    pretax_gross_amount Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    pretax_amount_local Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account''s local currency (PretaxAmountLocal); NULL = none sent',
    tax Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    fingerprint UInt64 COMMENT 'Hash of the list row as received; equal = nothing to fetch; 0 = no list row was seen',
    detail_status LowCardinality(String) COMMENT 'ok = the line items belong to this state of the order; pending = the detail is still to be fetched',
    items UInt32 COMMENT 'How many line items this state of the order has, by its detail',
    fetched_at DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    version UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    raw String COMMENT 'The list row as received (JSON)',
    raw_detail String COMMENT 'The order part of the detail as received (JSON), where the source has one beside the items',
    product_name String COMMENT 'Name of the product for people, from the account''s product list (ProductName); empty = not in the list, or no list was loaded'
)
AS
WITH
    (
        SELECT tuple(
            groupArray(cityHash64(account, product_code, product_type, lower(subscription_type))),
            groupArray(product_name))
        FROM products
    ) AS product_list
SELECT
    source, account, owner_id, order_id, related_order_id, order_type, payment_status, product_code, product_type,
    commodity_code, subscription_type, create_time, payment_time, currency, payment_currency, pretax_gross_amount,
    pretax_amount, pretax_amount_local, tax, after_tax_amount, fingerprint, detail_status, items, fetched_at, version,
    raw, raw_detail,
    transform(cityHash64(account, product_code, product_type, lower(subscription_type)), product_list.1, product_list.2, '')
        AS product_name
FROM order_rows FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Current state of every order, one row each';

CREATE OR REPLACE VIEW order_items
(
    source LowCardinality(String) COMMENT 'Kind of source the row came from: bss, unicloud or domain (configuration: accounts[].source)',
    account LowCardinality(String) COMMENT 'Name of the configured account (configuration: accounts[].name)',
    owner_id LowCardinality(String) COMMENT 'Owner within the account: a reseller''s customer or a member account; empty for the account''s own orders',
    order_id String COMMENT 'Order id as received (OrderId)',
    item_id String COMMENT 'Line item id as received (BSS: SubOrderId)',
    related_order_id String COMMENT 'Order that this one refers to, such as the refunded one (RelatedOrderId); empty = none sent',
    order_type LowCardinality(String) COMMENT 'Type as received, such as New, Renew, Upgrade, Refund (OrderType); case varies by API',
    order_sub_type LowCardinality(String) COMMENT 'Type of the line as received, such as ProductSubOrder (OrderSubType)',
    payment_status LowCardinality(String) COMMENT 'Unpaid, Paid or Cancelled as received (PaymentStatus); empty = none sent, as on refunds',
    product_code LowCardinality(String) COMMENT 'Product code, such as rds (ProductCode)',
    product_type LowCardinality(String) COMMENT 'Product type (ProductType); may be empty',
    commodity_code LowCardinality(String) COMMENT 'Commodity code (CommodityCode)',
    subscription_type LowCardinality(String) COMMENT 'Subscription (prepaid) or PayAsYouGo (postpaid), as received (SubscriptionType)',
    create_time DateTime64(3, 'UTC') COMMENT 'When the order was created, UTC (CreateTime of the order, on all its items)',
    payment_time Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was paid, UTC (PaymentTime); NULL = none sent',
    currency LowCardinality(String) COMMENT 'Currency of the amounts, ISO 4217 (Currency)',
    payment_currency LowCardinality(String) COMMENT 'Currency of the payment, ISO 4217 (PaymentCurrency); empty = none sent',
    pretax_gross_amount Nullable(Decimal(38, 12)) COMMENT 'List price before discount and tax, in currency (PretaxGrossAmount); NULL = none sent',
    pretax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in currency (PretaxAmount); NULL = none sent',
    pretax_amount_local Nullable(Decimal(38, 12)) COMMENT 'Amount payable before tax, in the account''s local currency (PretaxAmountLocal); NULL = none sent',
    tax Nullable(Decimal(38, 12)) COMMENT 'Tax, in currency (Tax); NULL = none sent',
    after_tax_amount Nullable(Decimal(38, 12)) COMMENT 'Amount after tax, in currency (AfterTaxAmount); NULL = none sent',
    instance_ids Array(String) COMMENT 'Ids of the instances that the line is about (InstanceIDs, unpacked from its JSON text)',
    region LowCardinality(String) COMMENT 'Region id (Region)',
    quantity Nullable(Decimal(38, 12)) COMMENT 'Count of the main product, in pieces (Quantity); NULL = none sent',
    config String COMMENT 'Normalised configuration as received, Module:[Key:Value;] (Config)',
    original_config String COMMENT 'Configuration as received before normalising (OriginalConfig)',
    operator String COMMENT 'Id of the RAM user who placed the order (Operator); empty = none sent',
    usage_start_time Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the service period, UTC (UsageStartTime); NULL = none sent',
    usage_end_time Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the service period, UTC (UsageEndTime); pay-as-you-go ends about 100 years on; NULL = none sent',
    extend_infos Map(String, String) COMMENT 'Extra information as received (ExtendInfos)',
    bill_module_config String COMMENT 'Billing modules, JSON as received (BillModuleConfig)',
    original_module_config String COMMENT 'Modules before normalising, JSON as received (OriginalModuleConfig)',
    fetched_at DateTime64(3, 'UTC') COMMENT 'When the newest payload of this row was received, UTC',
    version UInt64 COMMENT 'Monotone fetch sequence; of the rows of one key the highest version is the current one',
    raw String COMMENT 'The line item as received (JSON)',
    product_name String COMMENT 'Name of the product for people, from the account''s product list (ProductName); empty = not in the list, or no list was loaded'
)
AS
WITH
    (
        SELECT tuple(
            groupArray(cityHash64(account, product_code, product_type, lower(subscription_type))),
            groupArray(product_name))
        FROM products
    ) AS product_list
SELECT
    source, account, owner_id, order_id, item_id, related_order_id, order_type, order_sub_type, payment_status,
    product_code, product_type, commodity_code, subscription_type, create_time, payment_time, currency,
    payment_currency, pretax_gross_amount, pretax_amount, pretax_amount_local, tax, after_tax_amount, instance_ids,
    region, quantity, config, original_config, operator, usage_start_time, usage_end_time, extend_infos,
    bill_module_config, original_module_config, fetched_at, version, raw,
    transform(cityHash64(account, product_code, product_type, lower(subscription_type)), product_list.1, product_list.2, '')
        AS product_name
FROM order_item_rows FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Current line items of every order, one row each';
