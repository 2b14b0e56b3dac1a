package sink

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Verification is one row of sync_verifications: what a verification of one stream found.
type Verification struct {
	schema.Stream
	From, To    time.Time // what was verified
	Whole       bool      // that was everything that the ledger covered
	Deep        bool
	Windows     int // that were compared with the source
	LeftOut     int // windows of the range that were not
	Calls       int
	Differences int    // findings of the range that are open, those of earlier verifications included
	Repaired    int    // found and repaired
	Error       string // why it ended early
	StartedAt   time.Time
	FinishedAt  time.Time
}

var verificationTable = &table[Verification]{
	name:  "sync_verifications",
	label: func(v *Verification) string { return "verification of " + v.Stream.String() },
	size:  func(v *Verification) int { return overhead + len(v.Error) },
	compare: func(a, b *Verification) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.OwnerID, b.OwnerID),
			a.FinishedAt.Compare(b.FinishedAt))
	},
	columns: []column[Verification]{
		label("source", func(v *Verification) string { return v.Source }),
		label("account", func(v *Verification) string { return v.Account }),
		label("owner_id", func(v *Verification) string { return v.OwnerID }),
		moment("range_start", func(v *Verification) time.Time { return v.From }),
		moment("range_end", func(v *Verification) time.Time { return v.To }),
		flag("whole", func(v *Verification) bool { return v.Whole }),
		flag("deep", func(v *Verification) bool { return v.Deep }),
		long("windows", func(v *Verification) uint64 { return uint64(v.Windows) }),
		long("left_out", func(v *Verification) uint64 { return uint64(v.LeftOut) }),
		long("calls", func(v *Verification) uint64 { return uint64(v.Calls) }),
		long("differences", func(v *Verification) uint64 { return uint64(v.Differences) }),
		long("repaired", func(v *Verification) uint64 { return uint64(v.Repaired) }),
		text("error", func(v *Verification) string { return v.Error }),
		moment("started_at", func(v *Verification) time.Time { return v.StartedAt }),
		moment("finished_at", func(v *Verification) time.Time { return v.FinishedAt }),
	},
}

// WriteVerification records what a verification found.
func (s *Sink) WriteVerification(ctx context.Context, v Verification) error {
	return write(ctx, s, verificationTable, []Verification{v})
}

// LastVerifications returns the newest verification of each stream that covered all of its ledger, by account and owner. One
// of a part says nothing about the rest, so it is left out.
func (s *Sink) LastVerifications(ctx context.Context) ([]Verification, error) {
	return s.lastVerifications(ctx, "1", nil)
}

// LastAccountVerifications is LastVerifications for the streams of one account.
func (s *Sink) LastAccountVerifications(ctx context.Context, account string) ([]Verification, error) {
	return s.lastVerifications(ctx, ofAccount, []any{account})
}

// lastVerifications returns the newest verifications among those that fulfil a condition.
func (s *Sink) lastVerifications(ctx context.Context, where string, args []any) ([]Verification, error) {
	out, err := collect(ctx, s, `SELECT source, account, owner_id, toUnixTimestamp64Milli(range_start),
		toUnixTimestamp64Milli(range_end), deep, windows, left_out, calls, differences, repaired, error,
		toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(finished_at)
		FROM sync_verifications WHERE whole = 1 AND `+where+`
		ORDER BY account, owner_id, finished_at DESC LIMIT 1 BY account, owner_id`, args, func(rows driver.Rows) (Verification, error) {
		v := Verification{Whole: true}
		var from, to, started, finished int64
		var deep uint8
		var windows, leftOut, calls, differences, repaired uint64
		if err := rows.Scan(&v.Source, &v.Account, &v.OwnerID, &from, &to, &deep, &windows, &leftOut, &calls, &differences,
			&repaired, &v.Error, &started, &finished); err != nil {
			return v, err
		}
		v.From, v.To, v.Deep = fromMilliseconds(from), fromMilliseconds(to), deep != 0
		v.Windows, v.LeftOut, v.Calls = int(windows), int(leftOut), int(calls)
		v.Differences, v.Repaired = int(differences), int(repaired)
		v.StartedAt, v.FinishedAt = fromMilliseconds(started), fromMilliseconds(finished)
		return v, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the verifications: %w", err)
	}
	return out, nil
}
