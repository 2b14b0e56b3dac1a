package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Rejects returns the rejects of a lane, or of all lanes where the lane is the zero Lane, oldest first. onlyOpen leaves
// out those that were accepted or that became rows after all.
func (s *Sink) Rejects(ctx context.Context, lane schema.Lane, onlyOpen bool) ([]schema.Reject, error) {
	where := "1"
	var args []any
	if lane != (schema.Lane{}) {
		where = "account = ? AND owner_id = ?"
		args = append(args, lane.Account, lane.OwnerID)
	}
	if onlyOpen {
		where += " AND resolved = 0 AND isNull(accepted_at)"
	}
	return s.rejects(ctx, where, args)
}

// OpenRejects returns the rejects of a lane that did not become rows, the accepted ones included: an accepted record is
// still not stored, and a walk that meets it again must know what was decided.
func (s *Sink) OpenRejects(ctx context.Context, lane schema.Lane) ([]schema.Reject, error) {
	return s.rejects(ctx, "account = ? AND owner_id = ? AND resolved = 0", []any{lane.Account, lane.OwnerID})
}

// rejects returns the rejects that fulfil a condition, oldest first.
func (s *Sink) rejects(ctx context.Context, where string, args []any) ([]schema.Reject, error) {
	query := `SELECT source, account, owner_id, id, stage, order_id, toUnixTimestamp64Milli(window_start),
		toUnixTimestamp64Milli(create_time), reason, message, raw, toUnixTimestamp64Milli(first_seen),
		toUnixTimestamp64Milli(last_seen), attempts, toUnixTimestamp64Milli(next_attempt),
		toUnixTimestamp64Milli(accepted_at), accepted_by, note, resolved, version
		FROM reject_rows FINAL WHERE `
	var out []schema.Reject
	err := s.each(ctx, query+where+" ORDER BY first_seen, account, id", args, func(rows driver.Rows) error {
		var r schema.Reject
		var windowStart, created, next, accepted *int64
		var first, last int64
		var resolved uint8
		if err := rows.Scan(&r.Source, &r.Account, &r.OwnerID, &r.ID, &r.Stage, &r.OrderID, &windowStart, &created,
			&r.Reason, &r.Message, &r.Raw, &first, &last, &r.Attempts, &next, &accepted, &r.AcceptedBy, &r.Note,
			&resolved, &r.Version); err != nil {
			return err
		}
		r.WindowStart, r.CreateTime = optional(windowStart), optional(created)
		r.NextAttempt, r.AcceptedAt = optional(next), optional(accepted)
		r.FirstSeen, r.LastSeen = fromMilliseconds(first), fromMilliseconds(last)
		r.Resolved = resolved != 0
		out = append(out, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the rejects: %w", err)
	}
	return out, nil
}

// FindRejects returns the rejects of an account, or of all where it is empty, whose id begins with the prefix, whatever
// became of them, oldest first.
func (s *Sink) FindRejects(ctx context.Context, account, prefix string) ([]schema.Reject, error) {
	return s.rejects(ctx, "(? = '' OR account = ?) AND startsWith(id, ?)", []any{account, account, prefix})
}

// RejectCount is how many rejects of a lane did not become rows.
type RejectCount struct {
	schema.Lane
	Open     int
	Accepted int
	// AcceptedDetails are, of the accepted ones, those about an order's detail: each is an order that stays without its
	// items with an operator's consent.
	AcceptedDetails int
}

// RejectCounts counts the rejects of each lane that has some, by account and owner, without reading their payloads.
func (s *Sink) RejectCounts(ctx context.Context) ([]RejectCount, error) {
	var out []RejectCount
	err := s.each(ctx, `SELECT any(source), account, owner_id, countIf(isNull(accepted_at)), countIf(isNotNull(accepted_at)),
		countIf(isNotNull(accepted_at) AND stage = 'detail')
		FROM reject_rows FINAL WHERE resolved = 0 GROUP BY account, owner_id ORDER BY account, owner_id`, nil,
		func(rows driver.Rows) error {
			var c RejectCount
			var open, accepted, details uint64
			if err := rows.Scan(&c.Source, &c.Account, &c.OwnerID, &open, &accepted, &details); err != nil {
				return err
			}
			c.Open, c.Accepted, c.AcceptedDetails = int(open), int(accepted), int(details)
			out = append(out, c)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("count the rejects: %w", err)
	}
	return out, nil
}

// RejectGroup is how many rejects of a lane are open for one reason.
type RejectGroup struct {
	schema.Lane
	Stage, Reason       string
	Count               int
	FirstSeen, LastSeen time.Time
}

// RejectGroups sums up the rejects that wait for an operator, by lane, stage and reason, the most numerous first.
func (s *Sink) RejectGroups(ctx context.Context) ([]RejectGroup, error) {
	var out []RejectGroup
	err := s.each(ctx, `SELECT any(source), account, owner_id, stage, reason, count() AS n, toUnixTimestamp64Milli(min(first_seen)),
		toUnixTimestamp64Milli(max(last_seen)) FROM reject_rows FINAL WHERE resolved = 0 AND isNull(accepted_at)
		GROUP BY account, owner_id, stage, reason ORDER BY n DESC, account, owner_id, stage, reason`, nil,
		func(rows driver.Rows) error {
			var g RejectGroup
			var n uint64
			var first, last int64
			if err := rows.Scan(&g.Source, &g.Account, &g.OwnerID, &g.Stage, &g.Reason, &n, &first, &last); err != nil {
				return err
			}
			g.Count, g.FirstSeen, g.LastSeen = int(n), fromMilliseconds(first), fromMilliseconds(last)
			out = append(out, g)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("count the rejects: %w", err)
	}
	return out, nil
}
