// Package domain is the client of Alibaba Cloud's Domain API of 2016-05-11: QueryOrder returns one order of domain names with
// its lines. A call is one attempt: budgets and retries are [source.Caller]'s.
//
// It is a legacy API, for orders that live nowhere else: its successors have no QueryOrder, and whether the vendor still
// answers it was not confirmed. It cannot list orders, so they are fetched by their ids.
//
// Requests are signed in the old way (HMAC-SHA1 in the query) and sent as POST, which the vendor documents beside GET and
// net/http never repeats. The answer is asked for as JSON, or as XML, which is what the gateway returns when nothing is asked
// for; both are read, whichever comes, and make the same rows but for the raw payload. Times have no zone; it is presumed
// to be China's, and is [Options.Location].
//
// # Columns
//
//	order                                       column
//	OrderID                                     order_id
//	OrderDate                                   create_time
//	CheckFlag, ValidFlag                        payment_status: Paid where it is settled; else Unpaid while the order is
//	                                              valid, and Cancelled where it is not
//	CheckDate                                   payment_time, where it is settled
//	Money                                       pretax_amount
//	ActionType and ClassID of the lines         order_type and product_code, where all lines agree
//	UserID, CheckType                           raw_detail only
//
//	line (SubOrderResult)                       column
//	TrackID, OrderID                            item_id, order_id
//	ActionType (activate, renew)                order_type
//	ClassID                                     product_code
//	CheckFlag, ValidFlag, CheckDate             payment_status and payment_time, as for the order
//	Money                                       pretax_amount
//	Amount, which is a number of pieces         quantity
//	RelatedName, the domain                     instance_ids
//	DeadDate                                    usage_end_time
//	UpdateDate, ProductName, PeriodNum,         extend_infos, under these names
//	  PeriodUnit, SaleID, ParentSaleID,
//	  UserID, BizStatus, CheckFlag, ValidFlag
//	OrderDate                                   raw only: create_time is the order's
//
// The flags are put into the words of payment_status because one query must fit all sources; as received they are in
// extend_infos and raw_detail. The order's Money is not the sum of its lines' in the vendor's own sample, so that is not
// checked. It sends no currency, so none is made up.
package domain
