package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

var findingTable = newTable("sync_finding_rows", func(f *schema.Finding) string { return "finding " + f.ID + " of " + f.Stream.String() })

// WriteFindings records findings, or that they ended.
func (s *Sink) WriteFindings(ctx context.Context, findings []schema.Finding) error {
	return write(ctx, s, findingTable, findings)
}

// OpenFindings returns the findings of a stream that have not ended, by where they are.
func (s *Sink) OpenFindings(ctx context.Context, stream schema.Stream) ([]schema.Finding, error) {
	return s.openFindings(ctx, ofStream, []any{stream.Account, stream.OwnerID})
}

// AllOpenFindings returns the findings of all streams that have not ended, by where they are.
func (s *Sink) AllOpenFindings(ctx context.Context) ([]schema.Finding, error) {
	return s.openFindings(ctx, "1", nil)
}

// openFindings returns those open findings that fulfil a condition.
func (s *Sink) openFindings(ctx context.Context, where string, args []any) ([]schema.Finding, error) {
	out, err := collect(ctx, s, findingTable.all()+" FINAL WHERE "+where+" AND isNull(ended_at) ORDER BY range_start, kind, id", args, findingTable.scan)
	if err != nil {
		return nil, fmt.Errorf("read the findings: %w", err)
	}
	return out, nil
}

// FindingCount is how many findings of one depth a stream has that have not ended.
type FindingCount struct {
	schema.Stream
	Depth string
	Open  int
	Found time.Time // the last of them
}

// FindingCounts counts the open findings of all accounts, by stream and depth.
func (s *Sink) FindingCounts(ctx context.Context) ([]FindingCount, error) {
	return s.findingCounts(ctx, "1", nil)
}

// AccountFindingCounts is FindingCounts for one account.
func (s *Sink) AccountFindingCounts(ctx context.Context, account string) ([]FindingCount, error) {
	return s.findingCounts(ctx, ofAccount, []any{account})
}

// findingCounts counts those open findings that fulfil a condition.
func (s *Sink) findingCounts(ctx context.Context, where string, args []any) ([]FindingCount, error) {
	out, err := collect(ctx, s, `SELECT any(source), account, owner_id, depth, count(), toUnixTimestamp64Milli(max(found_at))
		FROM sync_finding_rows FINAL WHERE isNull(ended_at) AND `+where+`
		GROUP BY account, owner_id, depth ORDER BY account, owner_id, depth`, args, func(rows driver.Rows) (c FindingCount, err error) {
		var n uint64
		var found int64
		err = rows.Scan(&c.Source, &c.Account, &c.OwnerID, &c.Depth, &n, &found)
		c.Open, c.Found = int(n), fromMilliseconds(found)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the findings: %w", err)
	}
	return out, nil
}
