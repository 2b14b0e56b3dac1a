package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// RangeLease is a process's claim on a range of creation times [From, To) of a stream. As with Lease it is no lock: on a
// cluster, or after a process has slept, two may hold one range, and what they store must be right all the same.
type RangeLease struct {
	schema.Stream
	From, To time.Time
	Holder   string // random
	Process  string // for a person
}

// liveRanges is the claims on ranges that were renewed in time, by the clock of the server.
var liveRanges = fmt.Sprintf(" sync_range_leases FINAL WHERE NOT released AND renewed_at > now64(6) - toIntervalMillisecond(%d) ", LeaseLife.Milliseconds())

// RangeLeases returns the live claims of a stream that reach into [from, to).
func (s *Sink) RangeLeases(ctx context.Context, stream schema.Stream, from, to time.Time) ([]RangeLease, error) {
	out, err := collect(ctx, s, "SELECT toUnixTimestamp64Milli(range_start), toUnixTimestamp64Milli(range_end), holder, process FROM"+liveRanges+
		`AND account = ? AND owner_id = ? AND range_start < fromUnixTimestamp64Milli(?, 'UTC') AND range_end > fromUnixTimestamp64Milli(?, 'UTC')
		ORDER BY range_start, holder`, []any{stream.Account, stream.OwnerID, to.UnixMilli(), from.UnixMilli()}, func(rows driver.Rows) (RangeLease, error) {
		l := RangeLease{Stream: stream}
		var from, to int64
		err := rows.Scan(&from, &to, &l.Holder, &l.Process)
		l.From, l.To = fromMilliseconds(from), fromMilliseconds(to)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the claims on ranges: %w", err)
	}
	return out, nil
}

// ClaimRanges records claims on ranges, or renews them. It is not tried again: a claim that is lost costs calls.
func (s *Sink) ClaimRanges(ctx context.Context, leases []RangeLease) error {
	return s.writeRanges(ctx, leases, 0)
}

// ReleaseRanges records that claims are given back, so that others can have the ranges at once. It is not tried again either:
// a claim that is not given back dies.
func (s *Sink) ReleaseRanges(ctx context.Context, leases []RangeLease) error {
	return s.writeRanges(ctx, leases, 1)
}

func (s *Sink) writeRanges(ctx context.Context, leases []RangeLease, released uint8) error {
	if len(leases) == 0 {
		return nil
	}
	var accounts, owners, holders, processes []string
	var from, to []int64
	for _, l := range leases {
		accounts, owners = append(accounts, l.Account), append(owners, l.OwnerID)
		holders, processes = append(holders, l.Holder), append(processes, l.Process)
		from, to = append(from, l.From.UnixMilli()), append(to, l.To.UnixMilli())
	}
	// One statement, so that all times are the server's.
	err := s.conn.Exec(ctx, `INSERT INTO sync_range_leases (account, owner_id, range_start, range_end, holder, process, renewed_at, released)
		SELECT r.1, r.2, fromUnixTimestamp64Milli(r.3, 'UTC'), fromUnixTimestamp64Milli(r.4, 'UTC'), r.5, r.6, now64(6, 'UTC'), ?
		FROM (SELECT arrayJoin(arrayZip(?, ?, ?, ?, ?, ?)) AS r)`, released, accounts, owners, from, to, holders, processes)
	if err != nil {
		return fmt.Errorf("write claims on ranges: %w", err)
	}
	return nil
}
