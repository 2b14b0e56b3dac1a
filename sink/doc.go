// Package sink is the warehouse: it creates the tables, writes rows in batches, keeps the ledger and answers the
// questions that the engine and the verbs have about what is stored.
//
// # One write
//
//	rejects ──► items ──► orders ──► ledger        each step waits for the server's confirmation (I1)
//	   │          │         │
//	   │          │         └─ a materialized view copies every insert to order_versions
//	   │          └─ split by month of the order's creation, at most 100,000 rows or 64 MB a block: one block = one
//	   │             partition = one atomic insert
//	   └─ those that are open; that one became a row is written after the orders
//
// The order of the steps is what makes a crash harmless (I7): an order that is visible has its lines, as items or as
// rejects, and a window that the ledger calls complete has all of its orders. Everything before the ledger row is simply
// written again by the next listing of the window, and changes nothing then (I3): all tables keep one row per key, the one
// with the highest version.
//
// # Retries
//
// clickhouse-go does not repeat an insert, and after a broken connection nobody knows whether the server had committed
// it. A block is therefore sent, unchanged, until the server confirms it or the error is not one that passes (see
// codes.go). A block that is stored twice by that changes nothing: of the rows of a key the one with the highest version
// counts. The server's own deduplication of inserts is kept out of it, by a token that is new for each try: a plain
// MergeTree notes that it has a block before it has the block, so that a server which is killed in between confirms the
// next try without storing anything (seen with 26.7, once in about a hundred kills).
//
// # Reading
//
// Reads go to the storage tables with FINAL and are bounded by stream and creation time, so that they touch the
// partitions of the asked range only.
//
// # A cluster
//
// On a cluster the storage tables are Distributed tables of the same names, over local tables that the shards hold; the
// rest of the package does not know. [schema.Cluster] makes them from the same migrations, and cluster.go says which
// settings keep the promises above there: a block is confirmed when each shard has its part, a block that some shards
// have and others lack is sent to all again, and reads go to the replica that was written.
package sink
