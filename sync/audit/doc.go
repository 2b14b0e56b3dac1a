// Package audit checks what is stored of a stream, and brings it in order: verify compares it with its source and its ledger,
// deep compares every row, repair lists again what differs, replay makes the rows again from their payloads, and estimate says
// what a backfill would cost. All of them but the estimate work by runs of package stream, for which a [Runner] is asked.
//
// What a verification finds stays open until a look of the same depth does not find it again; see findings.go (I12).
package audit
