// Package status says how the sync stands: which hours are covered and how well, how far behind it is, what runs and what
// ran, what is wrong, and what was ordered. It is one report, made of the warehouse's own tables and so the same for the
// page, its JSON and the terminal, whichever process did the work.
//
// Nothing in a report is a secret (I10).
package status

import (
	"time"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// Report is how everything stands at a moment. Times are UTC; amounts are exact.
type Report struct {
	OK       bool               `json:"ok"` // no problem anywhere
	Now      time.Time          `json:"now"`
	Version  string             `json:"version,omitempty"` // of ordersync
	NextRun  time.Time          `json:"next_tick"`         // by the schedule; it comes if the daemon runs
	Problems []string           `json:"problems"`          // those of no single account
	Map      Map                `json:"map"`
	Accounts []Stream           `json:"accounts"`
	Running  []Run              `json:"running"`
	Failures []Run              `json:"failures"` // the newest runs that failed, however many succeeded since
	Runs     []Run              `json:"runs"`     // the newest runs
	Budgets  []Budget           `json:"budgets"`  // of the process that made the report; empty where it makes no calls
	Rejects  []sink.RejectGroup `json:"rejects"`  // that wait for an operator
	Spend    []Spend            `json:"spend"`    // of the last 30 days, by currency
	// ReportingZone is the IANA name of the zone whose days those of Spend are.
	ReportingZone string `json:"reporting_timezone"`
	// StoredView is of when the view is that the server keeps as a table; null where there is none.
	StoredView *StoredView `json:"stored_view"`
}

// StoredView is the view that the server keeps as a table, and makes anew every so often.
type StoredView struct {
	Name         string     `json:"name"`
	RefreshedAt  *time.Time `json:"refreshed_at"` // what it shows is of then; null while it was never made
	EverySeconds float64    `json:"every_seconds"`
	Error        string     `json:"error"` // why the server could not make it anew the last time
	Overdue      bool       `json:"overdue"`
}

// String says of when it is.
func (v *StoredView) String() string {
	every := format.Span(time.Duration(v.EverySeconds * float64(time.Second)))
	if v.RefreshedAt == nil {
		return v.Name + " was never made, although it should be every " + every
	}
	return v.Name + " is of " + v.RefreshedAt.Format("2006-01-02 15:04:05") + ", and made anew every " + every
}

// Map says what the heat maps of the streams show, and of how much.
type Map struct {
	From        time.Time  `json:"from"` // the first day
	To          time.Time  `json:"to"`   // the day after the last
	Days        int        `json:"days"`
	CellSeconds int        `json:"cell_seconds"`
	LedgerFrom  *time.Time `json:"ledger_from"` // the first window of all; null for an empty ledger
	LedgerTo    *time.Time `json:"ledger_to"`
	Streams     int        `json:"lanes"` // that have a map; the others have to be asked for by name
}

// Stream is how one stream stands: an account, or an owner within it.
type Stream struct {
	schema.Stream
	ByID          bool                   `json:"by_id,omitempty"`          // its orders are tracked by their ids: it has no windows
	Filters       string                 `json:"filters,omitempty"`        // of its orders only these are synced: product_code=rds
	Unconfigured  bool                   `json:"not_configured,omitempty"` // the ledger knows it, and the configuration does not
	Windows       map[schema.Verdict]int `json:"windows"`
	TargetSeconds float64                `json:"target_seconds"` // the lag that a daemon in good health stays below
	LagSeconds    *float64               `json:"lag_seconds"`    // null while nothing is complete; by id, since the last success
	CompleteFrom  *time.Time             `json:"complete_from"`
	CompleteTo    *time.Time             `json:"complete_to"`
	Oldest        *time.Time             `json:"oldest"`
	Newest        *time.Time             `json:"newest"`
	Gaps          int                    `json:"gaps"`
	GapSeconds    float64                `json:"gap_seconds"`
	Orders        uint64                 `json:"orders"`
	OrdersToday   uint64                 `json:"orders_today"` // created today, in the reporting zone
	OpenRejects   int                    `json:"open_rejects"`
	Accepted      int                    `json:"accepted_rejects"`
	Pending       uint64                 `json:"pending"`
	LastRun       *time.Time             `json:"last_run"`
	LastSuccess   *time.Time             `json:"last_success"`      // when a scheduled run last left nothing undone
	Verified      *Verification          `json:"last_verification"` // null where there was none
	// ComparedAt is when a verification of all that the ledger covers was last finished; null for never.
	ComparedAt *time.Time            `json:"compared_at"`
	Daemon     *diagnosis.Daemon     `json:"daemon"`   // that works on the account, or last did; null where nothing is known of one
	Findings   []diagnosis.Differing `json:"findings"` // of all verifications, that have not ended
	Freshness  Freshness             `json:"freshness"`
	Diagnosis  diagnosis.Diagnosis   `json:"diagnosis"`
	Problems   []string              `json:"problems"`           // the diagnosis, line by line; empty where nothing is wrong
	Coverage   []Day                 `json:"coverage,omitempty"` // the newest day first

	allowed time.Duration // how much longer than the others it may go unasked
}

// Name is the stream as people see it.
func (l *Stream) Name() string { return l.Stream.String() }

// Lag is now minus the end of the newest complete range, or since the last success where orders are tracked by their
// ids; ok is false while there is none.
func (l *Stream) Lag() (lag time.Duration, ok bool) {
	if l.LagSeconds == nil {
		return 0, false
	}
	return time.Duration(*l.LagSeconds * float64(time.Second)), true
}

// What a verification compares. Neither asks for the details of orders.
const (
	ComparedCounts = "counts"                        // the vendor's number of orders, and the ledger
	ComparedRows   = "list rows and stored payloads" // each order as the listing shows it, and each row with its payload
)

// Verification is the last one of all that the ledger covered. It says nothing of what it left out, nor of anything that
// it did not compare.
type Verification struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Finished    time.Time `json:"finished_at"`
	Compared    string    `json:"compared"`
	Windows     int       `json:"windows"`  // compared
	LeftOut     int       `json:"left_out"` // windows that were not
	Calls       int       `json:"calls"`
	Differences int       `json:"differences"` // open at its end, those of earlier verifications included
	Error       string    `json:"error,omitempty"`
}

// Run is one run.
type Run struct {
	ID         string       `json:"id"`
	Kind       sink.RunKind `json:"kind"`
	State      string       `json:"state"` // running, ok, failed, stopped, or lost: it ended without a word
	Process    string       `json:"process"`
	Accounts   []string     `json:"accounts"`
	From       *time.Time   `json:"from"` // of creation times; null for each account's own ledger
	To         *time.Time   `json:"to"`
	StartedAt  time.Time    `json:"started_at"`
	UpdatedAt  time.Time    `json:"updated_at"` // its last sign of life
	FinishedAt *time.Time   `json:"finished_at"`
	Seconds    float64      `json:"seconds"`     // until now, or until its end
	Share      float64      `json:"share"`       // of its work, from 0 to 1, as it says itself; 0 while nobody knows
	ETASeconds *float64     `json:"eta_seconds"` // as it says itself; null while nobody knows

	WindowsPlanned uint64 `json:"windows_planned"`
	WindowsDone    uint64 `json:"windows_done"`
	Orders         uint64 `json:"orders"`
	Changed        uint64 `json:"changed"`
	Items          uint64 `json:"items"`
	Rejected       uint64 `json:"rejected"`
	ListCalls      uint64 `json:"list_calls"`
	DetailCalls    uint64 `json:"detail_calls"`
	Error          string `json:"error,omitempty"`
}

// Lost is the state of a run that ended without a word.
const Lost = "lost"

// Took is how long the run took, or has taken so far.
func (r *Run) Took() time.Duration { return time.Duration(r.Seconds * float64(time.Second)) }

// ETA is how long it will still take; ok is false where that cannot be said.
func (r *Run) ETA() (left time.Duration, ok bool) {
	if r.ETASeconds == nil {
		return 0, false
	}
	return time.Duration(*r.ETASeconds * float64(time.Second)), true
}

// Budget is how one call budget stands.
type Budget struct {
	Account string  `json:"account"`
	API     string  `json:"api"`
	Quota   float64 `json:"quota"`           // calls a second that the vendor allows, by the configuration
	Rate    float64 `json:"rate"`            // calls a second that the budget allows itself; it learns from throttles
	Used    float64 `json:"used"`            // of the quota, in the last second: 0 to 1
	Pause   string  `json:"pause,omitempty"` // why no call is made now, and until when
}

// Spend is what was ordered in one currency. Currencies are never added up.
type Spend struct {
	Currency string `json:"currency"`
	Total
	Days     []SpendDay `json:"days"`     // each day, the oldest first
	Products []Product  `json:"products"` // the ten that cost the most
}

// Total is a number of orders, whatever became of them, and the amount before tax of those that are neither unpaid nor
// cancelled.
type Total struct {
	Orders uint64          `json:"orders"`
	Amount decimal.Decimal `json:"pretax_amount"`
}

// SpendDay is one day of the reporting zone.
type SpendDay struct {
	Day time.Time `json:"day"` // of the calendar: midnight in UTC, whatever the zone
	Total
}

// Product is one product.
type Product struct {
	Code string `json:"product_code"`
	Name string `json:"product_name,omitempty"` // empty where it is not known
	Total
}
