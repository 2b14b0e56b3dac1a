// Package bss is the client of Alibaba Cloud's BSS OpenAPI: QueryOrders (GetOrders in version 2023-09-30) lists orders,
// GetOrderDetail returns the lines of one order, QueryProductList names the products, and CancelOrder, the only write to a
// vendor that there is, is kept apart from all of them in [Canceller].
//
// A call is one attempt: budgets and retries are [source.Caller]'s. The request is signed with ACS3-HMAC-SHA256 and sent
// with net/http, because the vendor's generic client races, has no time-outs by default, and loses the HTTP status of an
// answer that is not JSON as well as what a throttle says about waiting. Credentials of every kind come from credentials-go.
//
//	List, Detail ─► wire.Send (keys, sign, transport, codes) ─► parseEnvelope ─► decodeOrder / decodeItem ─► rows and rejects
//
// An answer is validated once and then read in place: rows keep slices of it, so a page's body lives as long as any row
// of it. A row that is not what the vendor documents never fails its page: it becomes a reject with its raw payload
// (I4). [Decoder] rebuilds rows from stored payloads, with the same code.
//
// A detail has nothing beside its lines, each of which repeats the order's fields; so an order that no listing showed has
// what its lines agree on, and the amounts only where there is one line. A detail that has fewer lines than its TotalCount,
// where it has one, is an error, since the missing ones would look deleted.
package bss
