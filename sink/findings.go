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

var findingTable = &table[schema.Finding]{
	name:  "sync_finding_rows",
	label: func(f *schema.Finding) string { return "finding " + f.ID + " of " + f.Stream.String() },
	size:  func(f *schema.Finding) int { return overhead + len(f.Note) },
	compare: func(a, b *schema.Finding) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.OwnerID, b.OwnerID),
			strings.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	},
	columns: []column[schema.Finding]{
		label("source", func(f *schema.Finding) string { return f.Source }),
		label("account", func(f *schema.Finding) string { return f.Account }),
		label("owner_id", func(f *schema.Finding) string { return f.OwnerID }),
		text("id", func(f *schema.Finding) string { return f.ID }),
		label("kind", func(f *schema.Finding) string { return f.Kind }),
		label("depth", func(f *schema.Finding) string { return f.Depth }),
		moment("range_start", func(f *schema.Finding) time.Time { return f.Start }),
		moment("range_end", func(f *schema.Finding) time.Time { return f.End }),
		text("order_id", func(f *schema.Finding) string { return f.OrderID }),
		long("at_source", func(f *schema.Finding) uint64 { return uint64(f.AtSource) }),
		long("stored", func(f *schema.Finding) uint64 { return uint64(f.Stored) }),
		text("note", func(f *schema.Finding) string { return f.Note }),
		moment("found_at", func(f *schema.Finding) time.Time { return f.FoundAt }),
		optionalMoment("ended_at", func(f *schema.Finding) time.Time { return f.EndedAt }),
		label("ended_by", func(f *schema.Finding) string { return f.EndedBy }),
		long("version", func(f *schema.Finding) uint64 { return f.Version }),
	},
}

// WriteFindings records findings, or that they ended.
func (s *Sink) WriteFindings(ctx context.Context, findings []schema.Finding) error {
	return write(ctx, s, findingTable, findings)
}

// OpenFindings returns the findings of a stream that have not ended, by where they are.
func (s *Sink) OpenFindings(ctx context.Context, stream schema.Stream) ([]schema.Finding, error) {
	out, err := collect(ctx, s, `SELECT source, id, kind, depth, toUnixTimestamp64Milli(range_start), toUnixTimestamp64Milli(range_end),
		order_id, at_source, stored, note, toUnixTimestamp64Milli(found_at), version
		FROM sync_finding_rows FINAL WHERE account = ? AND owner_id = ? AND isNull(ended_at)
		ORDER BY range_start, kind, id`, []any{stream.Account, stream.OwnerID}, func(rows driver.Rows) (schema.Finding, error) {
		f := schema.Finding{Stream: stream}
		var start, end, found int64
		var source, stored uint64
		if err := rows.Scan(&f.Source, &f.ID, &f.Kind, &f.Depth, &start, &end, &f.OrderID, &source, &stored, &f.Note, &found, &f.Version); err != nil {
			return f, err
		}
		f.Start, f.End, f.FoundAt = fromMilliseconds(start), fromMilliseconds(end), fromMilliseconds(found)
		f.AtSource, f.Stored = int(source), int(stored)
		return f, nil
	})
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
