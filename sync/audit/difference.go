package audit

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// # When a finding ends (I12)
//
// A difference that was found is a fact of its own: it stays open, whatever other verifications say, until a look of the
// same depth at all of where it is does not find it again. The looks, and what each of them proves:
//
//   - the ledger, held against the stored rows, proves what is about the ledger: a window that it holds as complete is
//     neither missing nor undone, and where its numbers agree with the rows it does not differ from them;
//   - a TotalCount that agrees proves a number, of the seconds that were asked for, and nothing of any order;
//   - a listing that was read completely and compared with the stored rows proves the list rows of its interval, and so their
//     number; not those of records that could not be read;
//   - the stored rows, made again of their payloads, prove the columns of the orders that have all their payloads;
//   - the detail of an order, asked for by its id, proves that order.
//
// A listing or a count of an account with filters proves nothing of the orders that these leave out: what was found with
// others stays open, but for orders that it shows.
//
// An ordinary run lists windows too. Once it has committed what such a listing showed, the listing has proven the list
// rows of the orders in it. It proves their number where the ledger agrees with the stored rows as well, and that an order
// is not there too much where that order is not stored any more.

// Depth says what was compared.
type Depth string

// Depths. Each proves something of its own; ByRows proves what ByCount does.
const (
	ByLedger  Depth = "ledger"   // the stored rows with the ledger
	ByCount   Depth = "counts"   // their number with the source's
	ByRows    Depth = "rows"     // with the list rows of the source
	ByPayload Depth = "payloads" // with the payloads that they were made of
	ByDetail  Depth = "details"  // with the details of the source
)

// id is the same for the same difference found again. What is listed or counted depends on the account's filters, so it is
// another one with others.
func (d *Difference) id() string {
	if d.finding.ID != "" {
		return d.finding.ID
	}
	return d.idWith(d.filters)
}

func (d *Difference) idWith(filters string) string {
	text := fmt.Sprintf("%s\x00%s\x00%d\x00%d\x00%s", d.Kind, d.Depth, d.Start.UnixMilli(), d.End.UnixMilli(), d.OrderID)
	if filters != "" && d.listed() {
		text += "\x00" + filters
	}
	return strconv.FormatUint(schema.Digest(text), 16)
}

// listed reports whether a difference is of what the source lists or counts.
func (d *Difference) listed() bool { return d.Depth == ByRows || d.Depth == ByCount }

// alike reports whether two differences say the same of places that meet.
func (d *Difference) alike(o *Difference) bool {
	return d.Kind == o.Kind && d.Depth == o.Depth && d.OrderID == o.OrderID && !d.Clip(o.Interval).Empty()
}

// earlierFinding is a finding as a difference of a report.
func earlierFinding(f schema.Finding) Difference {
	return Difference{
		Stream: f.Stream, Interval: window.Interval{Start: f.Start, End: f.End}, Kind: Kind(f.Kind), Depth: Depth(f.Depth),
		OrderID: f.OrderID, Source: f.AtSource, Stored: f.Stored, Note: f.Note, FoundAt: f.FoundAt, finding: f,
	}
}

// Kind says in what the warehouse and the source, or the warehouse and its ledger, do not agree.
type Kind string

// Kinds of Difference.
const (
	Missing Kind = "missing" // windows that were never listed
	Undone  Kind = "undone"  // a window that the ledger itself holds as short, failed or open
	Ledger  Kind = "ledger"  // the stored rows are not those that were listed
	Count   Kind = "count"   // the source counts other than the warehouse
	Absent  Kind = "absent"  // an order of the source that is not stored
	Extra   Kind = "extra"   // a stored order that the source does not list, or one of several rows of an order
	Changed Kind = "changed" // an order that the source lists in another state
	Altered Kind = "altered" // a stored row that is not what its own raw payload says
)

// Difference is one finding of Verify.
type Difference struct {
	schema.Stream
	window.Interval
	Kind     Kind      `json:"kind"`
	Depth    Depth     `json:"depth"`              // of the look that found it
	OrderID  string    `json:"order_id,omitempty"` // where it is about one order
	Source   int       `json:"source"`             // orders at the source, or in the ledger
	Stored   int       `json:"stored"`             // orders in the warehouse
	Note     string    `json:"note,omitempty"`
	FoundAt  time.Time `json:"found_at,omitzero"` // by an earlier verification, where this one did not look as deep or as far; else zero
	Repaired bool      `json:"repaired"`
	Why      string    `json:"not_repaired,omitempty"` // it was not repaired, where that was tried

	filters string         // of the look that found it
	finding schema.Finding // its row, of one found earlier
}

// Report is the result of Verify.
type Report struct {
	From, To    time.Time // what was asked for: closed windows only
	Windows     int       // that were compared with the source
	LeftOut     int       // windows that were not: the ledger does not hold them as complete, or it ended before
	Calls       int64     // made, those of a repair included
	Differences []Difference
}

// Left counts the differences that were not repaired.
func (r Report) Left() int {
	n := 0
	for _, d := range r.Differences {
		if !d.Repaired {
			n++
		}
	}
	return n
}
