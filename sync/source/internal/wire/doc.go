// Package wire is the way to a vendor that all clients share: one signed request, one answer, and what a failure means.
//
// It owns what is easy to get wrong and the same everywhere: a transport that never sends a request twice by itself,
// time-outs, bounded bodies, keys of every kind behind one lock, what an answer says about waiting, the table from vendor
// codes to Reasons, and that no error shows a secret (I10). A vendor brings what differs, in [Options]: how a request is
// signed, how an envelope is read, and its codes.
//
//	Send ─► keys.Keyring ─► Sign ─► transport ─► Parse ─► Answer
//	            │                  │          │
//	            └───────────► source.Error ◄──┘   (Codes: vendor code → Reason)
package wire
