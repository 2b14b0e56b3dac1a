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

// OpenRejects returns the rejects of a stream that did not become rows, the accepted ones included: an accepted record is
// still not stored, and a walk that meets it again must know what was decided.
func (s *Sink) OpenRejects(ctx context.Context, stream schema.Stream) ([]schema.Reject, error) {
	return s.rejects(ctx, "account = ? AND owner_id = ? AND resolved = 0", []any{stream.Account, stream.OwnerID}, "")
}

// currentRejects is the FROM of a query for rejects, each with its acceptance. The condition is about the rejects' own
// columns, and is tried before the acceptances are looked up.
func currentRejects(columns, where string) string {
	return `(SELECT ` + columns + `, account, id, reason, payload, accepted_at, accepted_by, note
		FROM reject_rows FINAL WHERE ` + where + `) AS r
		LEFT JOIN (SELECT account, id, reason, payload, toNullable(accepted_at) AS accepted_at, accepted_by, note
			FROM reject_acceptances FINAL) AS a
		ON a.account = r.account AND a.id = r.id AND a.reason = r.reason AND a.payload = r.payload`
}

// accepted is when a reject of currentRejects was accepted; NULL where it was not. Before there were acceptances, the
// reject's own row said so.
const accepted = "if(isNull(a.accepted_at), r.accepted_at, a.accepted_at)"

// rejects returns the rejects that fulfil a condition of their own columns, and one that knows their acceptance, oldest
// first.
func (s *Sink) rejects(ctx context.Context, where string, args []any, having string) ([]schema.Reject, error) {
	query := `SELECT r.source, r.account, r.owner_id, r.id, r.stage, r.order_id, toUnixTimestamp64Milli(r.window_start),
		toUnixTimestamp64Milli(r.create_time), r.reason, r.message, r.raw, toUnixTimestamp64Milli(r.first_seen),
		toUnixTimestamp64Milli(r.last_seen), r.attempts, toUnixTimestamp64Milli(r.next_attempt),
		toUnixTimestamp64Milli(` + accepted + `),
		if(isNull(a.accepted_at), r.accepted_by, ifNull(a.accepted_by, '')),
		if(isNull(a.accepted_at), r.note, ifNull(a.note, '')), r.resolved, r.version
		FROM ` + currentRejects(`source, owner_id, stage, order_id, window_start, create_time, message, raw, first_seen,
		last_seen, attempts, next_attempt, resolved, version`, where) + having
	out, err := collect(ctx, s, query+" ORDER BY r.first_seen, r.account, r.id", args, func(rows driver.Rows) (r schema.Reject, err error) {
		var windowStart, created, next, accepted *int64
		var first, last int64
		var resolved uint8
		if err := rows.Scan(&r.Source, &r.Account, &r.OwnerID, &r.ID, &r.Stage, &r.OrderID, &windowStart, &created,
			&r.Reason, &r.Message, &r.Raw, &first, &last, &r.Attempts, &next, &accepted, &r.AcceptedBy, &r.Note,
			&resolved, &r.Version); err != nil {
			return r, err
		}
		r.WindowStart, r.CreateTime = optional(windowStart), optional(created)
		r.NextAttempt, r.AcceptedAt = optional(next), optional(accepted)
		r.FirstSeen, r.LastSeen = fromMilliseconds(first), fromMilliseconds(last)
		r.Resolved = resolved != 0
		return r, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the rejects: %w", err)
	}
	return out, nil
}

// FindRejects returns the rejects of all accounts whose id begins with the prefix, whatever became of them, oldest first.
func (s *Sink) FindRejects(ctx context.Context, prefix string) ([]schema.Reject, error) {
	return s.rejects(ctx, "startsWith(id, ?)", []any{prefix}, "")
}

// FindAccountRejects is FindRejects for one account.
func (s *Sink) FindAccountRejects(ctx context.Context, account, prefix string) ([]schema.Reject, error) {
	return s.rejects(ctx, ofAccount+" AND startsWith(id, ?)", []any{account, prefix}, "")
}

// RejectCount is how many rejects of a stream did not become rows.
type RejectCount struct {
	schema.Stream
	Open     int
	Accepted int
	// AcceptedDetails are, of the accepted ones, those about an order's detail: each is an order that stays without its
	// items with an operator's consent.
	AcceptedDetails int
}

// RejectCounts counts the rejects of each stream that has some, by account and owner, without reading their payloads.
func (s *Sink) RejectCounts(ctx context.Context) ([]RejectCount, error) {
	out, err := collect(ctx, s, `SELECT any(r.source), r.account, r.owner_id, countIf(isNull(`+accepted+`)), countIf(isNotNull(`+accepted+`)),
		countIf(isNotNull(`+accepted+`) AND r.stage = 'detail')
		FROM `+currentRejects("source, owner_id, stage", "resolved = 0")+`
		GROUP BY r.account, r.owner_id ORDER BY r.account, r.owner_id`, nil,
		func(rows driver.Rows) (c RejectCount, err error) {
			var open, accepted, details uint64
			err = rows.Scan(&c.Source, &c.Account, &c.OwnerID, &open, &accepted, &details)
			c.Open, c.Accepted, c.AcceptedDetails = int(open), int(accepted), int(details)
			return c, err
		})
	if err != nil {
		return nil, fmt.Errorf("count the rejects: %w", err)
	}
	return out, nil
}

// RejectGroup is how many rejects of a stream are open for one reason.
type RejectGroup struct {
	schema.Stream
	Stage, Reason       string
	Count               int
	FirstSeen, LastSeen time.Time
}

// RejectGroups sums up the rejects that wait for an operator, by stream, stage and reason, the most numerous first.
func (s *Sink) RejectGroups(ctx context.Context) ([]RejectGroup, error) {
	out, err := collect(ctx, s, `SELECT any(r.source), r.account, r.owner_id, r.stage, r.reason, count() AS n,
		toUnixTimestamp64Milli(min(r.first_seen)), toUnixTimestamp64Milli(max(r.last_seen))
		FROM `+currentRejects("source, owner_id, stage, first_seen, last_seen", "resolved = 0")+`
		WHERE isNull(`+accepted+`)
		GROUP BY r.account, r.owner_id, r.stage, r.reason ORDER BY n DESC, r.account, r.owner_id, r.stage, r.reason`, nil,
		func(rows driver.Rows) (g RejectGroup, err error) {
			var n uint64
			var first, last int64
			err = rows.Scan(&g.Source, &g.Account, &g.OwnerID, &g.Stage, &g.Reason, &n, &first, &last)
			g.Count, g.FirstSeen, g.LastSeen = int(n), fromMilliseconds(first), fromMilliseconds(last)
			return g, err
		})
	if err != nil {
		return nil, fmt.Errorf("count the rejects: %w", err)
	}
	return out, nil
}

// AcceptReject records that an operator accepts a reject, of which AcceptedAt, AcceptedBy and Note say when, who and why.
// It holds for this failure of the record alone: the same record that fails for another reason or with another payload is
// open again. No run can undo it, because runs do not write acceptances. Of two operators the first one counts.
func (s *Sink) AcceptReject(ctx context.Context, r schema.Reject) error {
	return write(ctx, s, acceptanceTable, []schema.Reject{r})
}

var acceptanceTable = &table[schema.Reject]{
	name:  "reject_acceptances",
	label: func(r *schema.Reject) string { return "acceptance of reject " + r.ID + " of " + r.Stream.String() },
	size:  func(r *schema.Reject) int { return overhead + len(r.Note) },
	compare: func(a, b *schema.Reject) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.ID, b.ID))
	},
	columns: []column[schema.Reject]{
		label("account", func(r *schema.Reject) string { return r.Account }),
		text("id", func(r *schema.Reject) string { return r.ID }),
		label("reason", func(r *schema.Reject) string { return r.Reason }),
		long("payload", func(r *schema.Reject) uint64 { return r.Payload() }),
		moment("accepted_at", func(r *schema.Reject) time.Time { return r.AcceptedAt }),
		text("accepted_by", func(r *schema.Reject) string { return r.AcceptedBy }),
		text("note", func(r *schema.Reject) string { return r.Note }),
		long("version", func(r *schema.Reject) uint64 { return ^uint64(r.AcceptedAt.UnixNano()) }), // the first one counts
	},
}
