-- Charges in the columns of FOCUS 1.2, the FinOps Open Cost and Usage Specification: purchases, their refunds and the tax on
-- both
--
-- A row for each line item and instance that was paid or given back, as in spend_by_instance, and one of ChargeCategory Tax
-- where there is tax, so that BilledCost adds up to what is payable. FOCUS wants an amount and a currency for each charge:
-- lines without one are not here. What orders do not know is NULL: invoices, SKU prices, commitments, names of regions and
-- resources. No charge of usage comes after these, so EffectiveCost is BilledCost. The billing period is the month of the
-- payment, or of the creation, in the reporting zone. A refund corrects an earlier billing period where the order that it
-- refers to was paid in one. Unit prices are there where they are exact.
WITH
    at -> toTimeZone(toDateTime64(at, 3, ${zone}), 'UTC') AS moment,
    toTimeZone(coalesce(line.payment_time, line.create_time), ${zone}) AS paid_at,
    toTimeZone(coalesce(origin.payment_time, origin.create_time), ${zone}) AS origin_paid_at,
    toStartOfMonth(toDate32(paid_at)) AS billing_month,
    charge.1 = 'Tax' AS is_tax,
    line.kind = 'refund' AND origin.order_id != '' AND toStartOfMonth(toDate32(origin_paid_at)) < billing_month AS is_correction,
    line.is_subscription AND ifNull(line.usage_end_time > line.usage_start_time, 0) AS has_period,
    (cost, quantity) -> toDecimal256(cost, 12) / nullIf(toDecimal256(quantity, 12), 0) AS quotient,
    (cost, quantity) -> if(quotient(cost, quantity) * quantity = cost, CAST(quotient(cost, quantity), 'Nullable(Decimal(38, 12))'), NULL)
        AS unit_price,
    transform(lower(line.product_code),
        ['ecs', 'swas', 'fc', 'ack', 'rds', 'polardb', 'kvstore', 'redisa', 'dds', 'hitsdb', 'odps', 'oss', 'nas', 'disk', 'hbr',
            'slb', 'alb', 'eip', 'vpc', 'nat_gw', 'cdn', 'dcdn', 'dns', 'alikafka', 'ons', 'sls', 'waf', 'ddos', 'ddoscoo', 'kms', 'domain'],
        ['Compute/Virtual Machines', 'Compute/Virtual Machines', 'Compute/Serverless Compute', 'Compute/Containers',
            'Databases/Relational Databases', 'Databases/Relational Databases', 'Databases/Caching', 'Databases/Caching',
            'Databases/NoSQL Databases', 'Databases/Time Series Databases', 'Databases/Data Warehouses', 'Storage/Object Storage',
            'Storage/File Storage', 'Storage/Block Storage', 'Storage/Backup Storage', 'Networking/Application Networking',
            'Networking/Application Networking', 'Networking/Network Infrastructure', 'Networking/Network Infrastructure',
            'Networking/Network Infrastructure', 'Networking/Content Delivery', 'Networking/Content Delivery',
            'Networking/Network Routing', 'Integration/Messaging', 'Integration/Messaging', 'Management and Governance/Observability',
            'Security/Other (Security)', 'Networking/Network Security', 'Networking/Network Security', 'Security/Secret Management',
            'Web/Other (Web)'],
        'Other/Other (Other)') AS service,
    transform(toString(line.source), ['bss', 'domain', 'unicloud'], ['Alibaba Cloud', 'Alibaba Cloud', 'UniCloud'], toString(line.source)) AS provider,
    CAST(NULL, 'Nullable(String)') AS no_text,
    CAST(NULL, 'Nullable(Decimal(38, 12))') AS no_number
SELECT
    no_text AS AvailabilityZone,
    assumeNotNull(charge.2) AS BilledCost,
    toString(line.account) AS BillingAccountId,
    toNullable(toString(line.account)) AS BillingAccountName,
    'Account' AS BillingAccountType,
    toString(line.currency) AS BillingCurrency,
    moment(addMonths(billing_month, 1)) AS BillingPeriodEnd,
    moment(billing_month) AS BillingPeriodStart,
    no_text AS CapacityReservationId,
    no_text AS CapacityReservationStatus,
    charge.1 AS ChargeCategory,
    if(is_correction, 'Correction', NULL) AS ChargeClass,
    toNullable(concat(if(is_tax, 'Tax: ', ''), line.order_type, ' ', ServiceName)) AS ChargeDescription,
    'One-Time' AS ChargeFrequency,
    if(has_period, assumeNotNull(line.usage_end_time), moment(addDays(toDate32(paid_at), 1))) AS ChargePeriodEnd,
    if(has_period, assumeNotNull(line.usage_start_time), moment(toDate32(paid_at))) AS ChargePeriodStart,
    no_text AS CommitmentDiscountCategory,
    no_text AS CommitmentDiscountId,
    no_text AS CommitmentDiscountName,
    no_number AS CommitmentDiscountQuantity,
    no_text AS CommitmentDiscountStatus,
    no_text AS CommitmentDiscountType,
    no_text AS CommitmentDiscountUnit,
    no_number AS ConsumedQuantity,
    no_text AS ConsumedUnit,
    BilledCost AS ContractedCost,
    if(is_tax, NULL, unit_price(ContractedCost, PricingQuantity)) AS ContractedUnitPrice,
    BilledCost AS EffectiveCost,
    no_text AS InvoiceId,
    provider AS InvoiceIssuerName,
    if(is_tax, BilledCost, coalesce(line.list_price, BilledCost)) AS ListCost,
    if(is_tax, NULL, unit_price(ListCost, PricingQuantity)) AS ListUnitPrice,
    if(is_tax, NULL, 'Standard') AS PricingCategory,
    toNullable(BillingCurrency) AS PricingCurrency,
    ContractedUnitPrice AS PricingCurrencyContractedUnitPrice,
    toNullable(EffectiveCost) AS PricingCurrencyEffectiveCost,
    ListUnitPrice AS PricingCurrencyListUnitPrice,
    if(is_tax, NULL, if(line.kind = 'refund', -line.quantity, line.quantity)) AS PricingQuantity,
    if(isNull(PricingQuantity), NULL, 'Units') AS PricingUnit,
    provider AS ProviderName,
    provider AS PublisherName,
    nullIf(toString(line.region), '') AS RegionId,
    nullIf(toString(line.region), '') AS RegionName,
    nullIf(line.instance_id, '') AS ResourceId,
    no_text AS ResourceName,
    if(isNull(ResourceId), NULL, coalesce(nullIf(toString(line.product_code), ''), 'Instance')) AS ResourceType,
    splitByChar('/', service)[1] AS ServiceCategory,
    coalesce(nullIf(line.product_name, ''), nullIf(toString(line.product_code), ''), provider) AS ServiceName,
    splitByChar('/', service)[2] AS ServiceSubcategory,
    if(is_tax, NULL, nullIf(concat(line.product_code, if(line.product_type = '', '', ':'), line.product_type), '')) AS SkuId,
    no_text AS SkuMeter,
    no_text AS SkuPriceDetails,
    no_text AS SkuPriceId,
    nullIf(toString(line.owner_id), '') AS SubAccountId,
    no_text AS SubAccountName,
    if(isNull(SubAccountId), NULL, 'Owner') AS SubAccountType,
    no_text AS Tags,
    line.order_id AS x_OrderId,
    line.item_id AS x_ItemId,
    nullIf(line.related_order_id, '') AS x_RelatedOrderId,
    nullIf(line.operator, '') AS x_OperatorId,
    nullIf(line.operator_name, '') AS x_OperatorName
FROM
(
    SELECT *, CAST([('Purchase', net), ('Tax', tax)], 'Array(Tuple(String, Nullable(Decimal(38, 12))))') AS charges
    FROM spend_by_instance
    WHERE currency != ''
) AS line
LEFT JOIN
(
    SELECT account, owner_id, order_id, create_time, payment_time
    FROM orders
    WHERE (account, order_id) GLOBAL IN (SELECT account, related_order_id FROM billing WHERE kind = 'refund')
) AS origin
ON origin.account = line.account AND origin.owner_id = line.owner_id AND origin.order_id = line.related_order_id
ARRAY JOIN line.charges AS charge
WHERE charge.1 = 'Purchase' AND isNotNull(charge.2) OR charge.1 = 'Tax' AND charge.2 != 0
