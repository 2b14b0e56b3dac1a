// Package stream is one run on one stream of orders: an account, or one owner of it.
//
//	range ─► listings ─► diff against the stored ─► details ─► rows and rejects ─► the ledger row of the window
//
// An order's row takes this path, all of which is in list.go and rows.go:
//
//   - [walk.Walker] lists a range of at most a day: pages of decoded orders, until they agree with each other;
//   - diff leaves out the orders that are stored in this state, and says at which other places the rest is stored;
//   - [enrich.Enricher] fetches the details of the rest, and puts the line items to their order;
//   - rows puts order, items and rejects into a batch, with tombstones for what is stored of the order elsewhere;
//   - windowCounter adds up the ledger row of each window from just these orders, and closes it when its listing is done;
//   - the [Committer] writes the batches in the order in which they came, so that a ledger row follows its rows (I1).
//
// Several ranges are under way at once, so that details of one are fetched while the next is listed. What comes to light
// meanwhile is dealt with at the end of [Run.List]: stored orders that were not listed (missing.go), orders that are stored
// at two places (moves.go), rejects that are gone (rejects.go). [Run.Fetch] brings single orders up to date by their ids.
//
// Which ranges and which orders, and when, is not known here: package engine plans that, and package audit for checks.
package stream
