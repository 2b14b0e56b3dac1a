// Package simulator serves Alibaba Cloud's order API in-process, on the real wire protocol, over invented accounts whose
// every number it can also tell exactly.
//
// It exists so that the production client can be tested, measured and shown without an account at the vendor, and so
// that the result can be compared with a truth. For that reason it shares nothing with the client: the data model, the
// JSON and the signature check here are written from the vendor's documents and captured responses alone. Two programs
// that agree by sharing a mistake prove nothing.
//
// # Data
//
// An [Account] is a function of its [Options]: the same seed gives the same bytes. An order is a record of 48 bytes;
// amounts, configurations and the accidents of its wire form (numbers or strings, absent fields, spelling) are derived
// from its id whenever they are needed, so a million orders fit in memory. [Account.Add], [Account.Pay],
// [Account.Cancel], [Account.Change] and [Account.DropItem] change the data while it is being served; [Account.Truth]
// and the wire always see the same state. [Living] does all of that by itself, step by step.
//
// # Faults
//
// A [Fault] sees every call and may alter or replace its answer. A [Script] is a Fault made of [Rule]s over the kinds in
// [Kinds], seeded and switchable while the server runs; [Chaos] mixes one from a seed, [ParseFaults] reads one from a
// text. The truth never follows a fault: a spoiled row is the same order, and is served right once the script is off.
// What cannot be had in the meantime is in [Script.Losses], so that a test can demand that it was shown.
//
// # Wire
//
// A [Server] finds the account by the access key id of a request, and then checks, in this order: time stamp, signature
// (ACS3-HMAC-SHA256 or the older HMAC-SHA1), nonce, permission, quota. A request that passes goes through the [Fault]
// hook, waits for the configured [Latency] and is answered.
//
// Where the vendor's documents are silent the simulator has to decide. These decisions are unconfirmed: the ends of a
// creation time range are both included (other rules: [Boundary]); a listing with only one end takes the other from the
// clock or one hour before; the newest order comes first (a captured response shows it); a page past the end is empty;
// the detail of an unknown order is a success with no line; a call that the quota refuses does not count against the
// quota.
package simulator
