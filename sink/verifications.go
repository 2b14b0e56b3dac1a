package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ordersync/ordersync/schema"
)

// Verification is one row of sync_verifications: what a verification of one stream found.
type Verification struct {
	schema.Stream
	From        time.Time `ch:"range_start"`
	To          time.Time `ch:"range_end"` // what was verified
	Whole       bool      `ch:"whole"`     // that was everything that the ledger covered
	Deep        bool      `ch:"deep"`
	Windows     int       `ch:"windows"`  // that were compared with the source
	LeftOut     int       `ch:"left_out"` // windows of the range that were not
	Calls       int       `ch:"calls"`
	Differences int       `ch:"differences"` // findings of the range that are open, those of earlier verifications included
	Repaired    int       `ch:"repaired"`    // found and repaired
	Error       string    `ch:"error"`       // why it ended early
	StartedAt   time.Time `ch:"started_at"`
	FinishedAt  time.Time `ch:"finished_at"`
}

var verificationTable = newTable("sync_verifications", func(v *Verification) string { return "verification of " + v.Stream.String() })

// WriteVerification records what a verification found.
func (s *Sink) WriteVerification(ctx context.Context, v Verification) error {
	return write(ctx, s, verificationTable, []Verification{v})
}

// LastVerifications returns the newest verification of each stream that covered all of its ledger, by account and owner, and
// after it the newest that was finished, where that is another one: a verification that ended early compared nothing of the
// rest (I12). One of a part says nothing about the rest either, so it is left out.
func (s *Sink) LastVerifications(ctx context.Context) ([]Verification, error) {
	return s.lastVerifications(ctx, "1", nil)
}

// LastAccountVerifications is LastVerifications for the streams of one account.
func (s *Sink) LastAccountVerifications(ctx context.Context, account string) ([]Verification, error) {
	return s.lastVerifications(ctx, ofAccount, []any{account})
}

// lastVerifications returns the newest verifications among those that fulfil a condition.
func (s *Sink) lastVerifications(ctx context.Context, where string, args []any) ([]Verification, error) {
	out, err := collect(ctx, s, verificationTable.all()+" WHERE whole = 1 AND "+where+`
		ORDER BY account, owner_id, finished_at DESC LIMIT 1 BY account, owner_id, error = ''`, args, verificationTable.scan)
	if err != nil {
		return nil, fmt.Errorf("read the verifications: %w", err)
	}
	return out, nil
}
