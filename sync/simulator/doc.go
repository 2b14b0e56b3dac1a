// Package simulator serves the order APIs of Alibaba Cloud and UniCloud in-process, on the real wire protocols, over
// generated accounts whose every number it can also tell exactly.
//
// It exists so that the production client can be tested, measured and shown without an account at the vendor, and so
// that the result can be compared with a truth. For that reason it shares nothing with the client: the data model, the
// JSON and the signature check here are written from the vendor's documents and captured responses alone. Two programs
// that agree by sharing a mistake prove nothing.
//
// # Data
//
// An [Account] is a function of its [Options]: the same seed makes the same bytes. An order is a record of 64 bytes;
// amounts, configurations and the accidents of its wire form (numbers or strings, absent fields, spelling) are derived
// from its id whenever they are needed, so a million orders fit in memory. [Account.Add], [Account.Pay],
// [Account.Cancel], [Account.Change], [Account.ChangeDetail] and [Account.DropItem] change the data while it is being served;
// [Account.Truth] and the wire always see the same state. [Living] does all of that by itself, step by step.
//
// The data make sense to an accountant: prices are of the size of the vendor's, an order and its renewals have the same lines,
// instances and prices, a renewal begins where the service that it renews ends, and a refund gives back no more than the share
// of its order that was not used.
//
// # Vendors
//
// Options.Vendor says which API an account is behind. One [Server] serves accounts of all of them, and each key works at
// its own vendor alone:
//
//   - [VendorBSS], at "/": version 2017-12-14 with QueryOrders, GetOrderDetail, QueryProductList and CancelOrder, version
//     2023-09-30 with GetOrders and GetOrderDetail. [Account.AddOwner] gives a reseller's login a customer (OwnerId),
//     [Account.AddMember] a company's login a member account (MemberUid, the newer version only); the quota is the
//     login's. [Products] are the same for everyone.
//   - [VendorUniCloud], at "/transaction": QueryOrders and OrderDetail.
//   - [VendorDomain], at "/": QueryOrder of version 2016-05-11, as XML or JSON. There is no listing.
//
// All of them have the same orders underneath, so that Add, Pay, Living, Truth, scripts of faults, quotas and counters
// work alike; [Order] and [Item] say which field of a vendor is which of theirs. UniCloud's accounts have no refunds, and
// those of the Domain API only domains, bought or renewed.
//
// # Faults
//
// A [Fault] sees every call and may alter or replace its answer. A [Script] is a Fault made of [Rule]s over the kinds in
// [Kinds], seeded and switchable while the server runs; [Chaos] mixes one from a seed, [ParseFaults] reads one from a
// text. The truth never follows a fault: a spoiled row is the same order, and is served right once the script is off.
// What is unavailable in the meantime is in [Script.Losses], so that a test can demand that it was shown. A cancellation
// takes place unless the fault replaces its answer: where only the way back breaks, the order is cancelled.
//
// # Wire
//
// A [Server] finds the account by the access key id of a request, and then checks, in this order: time stamp, signature
// (ACS3-HMAC-SHA256 or the older HMAC-SHA1; only the latter but for BSS), nonce, permission, quota. A request that passes
// goes through the [Fault] hook, waits for the configured [Latency] and is answered. Refusals have each vendor's own form.
//
// Where the documents are silent the simulator has to decide. These decisions are unconfirmed.
//
// BSS: the ends of a creation time range are both included (other rules: [Boundary]); a listing with only one end takes
// the other from the clock or one hour before; the newest order comes first (a captured response shows it); a page past
// the end is empty; the detail of an unknown order is a success with no line; a call that the quota refuses does not count
// against the quota; TotalCount of the products is 0 where QueryTotalCount was not true; a cancellation of what is not an
// unpaid order is an InvalidParameter; a member account that is not the login's is an InvalidOwner; both versions have one
// quota for GetOrderDetail; the details of the newer version are all in lower case.
//
// UniCloud: listings are by creation time, range and direction as for BSS, and without a range of all orders; times
// without a zone are in UTC+8; the integers OrderCategory and OrderStatus are checked and ignored, because nobody knows
// the codes; the states beside PAID are UNPAID and CANCELED; an unknown order is an InvalidParameter; unknown keys, wrong
// signatures and missing permissions are an InvalidCaller; throttling has BSS's code with 400; the message of an error is
// now in Msg, now in Message.
//
// Domain: times are in UTC+8; what is not settled has empty dates or none; a cancelled order has ValidFlag false; errors
// are those of the gateway's other products, in an element Error.
package simulator
