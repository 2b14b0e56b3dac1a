// Package unicloud is the client of UniCloud's transaction service: QueryOrders lists orders, OrderDetail returns one order
// with its lines. A call is one attempt: budgets and retries are [source.Caller]'s.
//
// The vendor's pages leave much open; what they do say decides, and what is presumed is configurable or said here. Calls
// are GETs, signed with HMAC-SHA1 over "/" although the path is /transaction; the pages name the signature's version 1.0 and
// show 2.0. An answer of HTTP 200 is a success, 400 and 500 are failures with Code, Message (Msg in a public client) and
// RequestId; a success has no RequestId. Times in questions are local times without a zone, in answers milliseconds since
// 1970 or, should a listing have them so, local times; the zone, presumed to be China's, is [Options.Location]. Keys may be
// padded with blanks, as the sibling service's sample has them. Ids have 19 digits and come as text and as numbers.
//
// # Columns
//
//	order (list row, and Order of a detail)     column
//	Id                                          order_id
//	OrderCategory (NEW, …)                      order_type
//	OrderStatus (PAID, …)                       payment_status, as received
//	ProductCategory                             product_code
//	ChargeType (postpaid, …)                    subscription_type
//	CreateTime, PayTime                         create_time, payment_time
//	TotalPrice                                  pretax_gross_amount, the list price
//	FinalPrice                                  pretax_amount, what is to be paid
//	all others                                  raw and raw_detail only
//
//	line (Items of a detail)                    column
//	id, orderId                                 item_id, order_id
//	productCategory, productSku                 product_code, commodity_code
//	quantity, totalPrice                        quantity, pretax_gross_amount
//	of the order: FinalPrice                    pretax_amount: the line's share
//	productStartTime, productEndTime            usage_start_time, usage_end_time
//	instanceId                                  instance_ids
//	productDescription                          config (the text) and extend_infos['conf.…'] (its entries)
//	orderNo, productId, productName,            extend_infos, under these names
//	  productRentUnit, productRentCount, isParent
//	of the order: OrderCategory, OrderStatus,   order_type, payment_status,
//	  ChargeType, PayTime, ProductRegionId        subscription_type, payment_time, region
//	of the order: ProductRegionName, PayType,   extend_infos, under these names, as received;
//	  PayTypeName, PaidAmount, CouponAmount,      amounts without exponents
//	  PromotionAmount, UpdateTime
//
// Money is the order's: TotalPrice is what it costs by the list, FinalPrice what it costs after coupons and promotions,
// and so pretax_gross_amount and pretax_amount, by which orders of all vendors are compared and summed. A line has a list
// price and no more. What is spent is FinalPrice all the same, so its lines share it by their list prices: that is exact
// for an order of one line, and a convention for others, whose lines add up to the order. As long as a line is rejected no
// line of its order has a share. The vendor says nothing of taxes, so PaidAmount, which is what was paid so far, is not
// after_tax_amount: it is in extend_infos of every line, once more on each, and so not to be summed over lines.
// CouponAmount and PromotionAmount are documented for list rows alone, where they are in raw; should a detail have them,
// they are in extend_infos too. It sends no currency, so none is made up. ChargeType and OrderStatus are as received:
// prepaid and postpaid are this vendor's words for Subscription and PayAsYouGo.
//
// A detail that has fewer lines than its ItemCount says is an error, since the missing ones would look deleted.
package unicloud
