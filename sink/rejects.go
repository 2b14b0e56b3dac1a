package sink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// currentRejects is the FROM of a query for what became of rejects, each with its acceptance. The condition is about the
// rejects' own columns, and is tried before the acceptances are looked up.
func currentRejects(columns, where string) string {
	return `(SELECT ` + columns + `, account, id, reason, payload, accepted_at FROM reject_states FINAL WHERE ` + where + `) AS r
		LEFT JOIN (SELECT account, id, reason, payload, toNullable(accepted_at) AS accepted_at, accepted_by, note
			FROM reject_acceptances FINAL) AS a
		ON a.account = r.account AND a.id = r.id AND a.reason = r.reason AND a.payload = r.payload`
}

// accepted is when a reject of currentRejects was accepted; NULL where it was not. Before there were acceptances, the
// reject's own row said so.
const accepted = "if(isNull(a.accepted_at), r.accepted_at, a.accepted_at)"

// amongRejects is the condition that a reject is one of those of which some version fulfils a condition. Versions are found by
// a projection, which FINAL cannot use, and the current ones then by their ids: neither reads the rest of the table.
func amongRejects(where string) string {
	return "id GLOBAL IN (SELECT id FROM reject_states WHERE " + where + ")"
}

// rejectsBetween is the condition that the window of a reject of a stream starts in [from, to), or that it has none, where from
// is zero; with its arguments.
func rejectsBetween(stream schema.Stream, from, to time.Time) (string, []any) {
	if from.IsZero() {
		return ofStream + " AND isNull(window_start)", []any{stream.Account, stream.OwnerID}
	}
	return windowsInRange, rangeArgs(stream, from, to)
}

// bucket is SQL for the start of the window of a size, in Unix milliseconds, in which a time lies.
func bucket(column string, size time.Duration) string {
	return fmt.Sprintf("(toUnixTimestamp64Milli(%[1]s) - positiveModulo(toUnixTimestamp64Milli(%[1]s), %[2]d))", column, size.Milliseconds())
}

// RejectWindows sums up the rejects of a stream that are not resolved, by windows of a size that start in [from, to), oldest
// first; with a zero from it is all of them, and those that belong to no window. The server adds up, so that the answer has a
// row a window, however many rejects there are.
func (s *Sink) RejectWindows(ctx context.Context, stream schema.Stream, size time.Duration, from, to time.Time) ([]schema.RejectWindow, error) {
	where, args := ofStream, []any{stream.Account, stream.OwnerID}
	if !from.IsZero() {
		between, more := rejectsBetween(stream, from, to)
		where, args = between+" AND "+amongRejects(between), slices.Concat(more, more)
	}
	const due = "toUnixTimestamp64Milli(ifNull(next, seen))"
	query := `SELECT at, countIf(stage = 'list'), countIf(stage = 'item'), countIf(stage = 'detail'),
			countIf(open AND stage = 'list'), countIf(open AND stage = 'item'), countIf(open AND stage = 'detail'), countIf(loose),
			minIf(` + due + `, open AND stage = 'list' AND NOT loose), minIf(` + due + `, open AND loose), minIf(` + due + `, open AND stage != 'list')
		FROM (SELECT r.stage AS stage, r.next_attempt AS next, r.first_seen AS seen, isNull(` + accepted + `) AS open,
				` + bucket("r.window_start", size) + ` AS at,
				r.stage = 'list' AND ifNull(at != ` + bucket("r.create_time", size) + `, 1) AS loose
			FROM ` + currentRejects("stage, window_start, create_time, next_attempt, first_seen", where+" AND resolved = 0") + `)
		GROUP BY at ORDER BY at`
	out, err := collect(ctx, s, query, args, func(rows driver.Rows) (w schema.RejectWindow, err error) {
		var at *int64
		var n [7]uint64
		var due [3]int64
		err = rows.Scan(&at, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &due[0], &due[1], &due[2])
		w.Start, w.List, w.Item, w.Detail = optional(at), int(n[0]), int(n[1]), int(n[2])
		w.OpenList, w.OpenItem, w.OpenDetail, w.Loose = int(n[3]), int(n[4]), int(n[5]), int(n[6])
		for i, t := range []*time.Time{&w.DueList, &w.DueLoose, &w.DueSingle} {
			if due[i] != 0 {
				*t = fromMilliseconds(due[i])
			}
		}
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("count the rejects: %w", err)
	}
	return out, nil
}

// HeldRejects returns, by the starts of windows in Unix seconds, how many of their rejects are rows of listings whose order is
// stored: in the window that it is of by the row, or, where that does not say, anywhere.
func (s *Sink) HeldRejects(ctx context.Context, stream schema.Stream, size time.Duration, windows []schema.RejectWindow) (map[int64]int, error) {
	var first, end time.Time // of the windows
	loose := false
	for _, w := range windows {
		if w.List == 0 || w.Start.IsZero() {
			continue
		}
		if end.IsZero() || w.Start.Before(first) {
			first = w.Start
		}
		if e := w.Start.Add(size); e.After(end) {
			end = e
		}
		loose = loose || w.Loose > 0
	}
	held := map[int64]int{}
	if end.IsZero() {
		return held, nil
	}
	from, to := first, end // of the orders
	if loose {
		from, to = schema.MinTime, schema.MaxTime
	}
	between, of := rejectsBetween(stream, first, end)
	where, args := between+" AND "+amongRejects(between), slices.Concat(of, of)
	rejects := "SELECT order_id, " + bucket("window_start", size) + " AS at, " + bucket("create_time", size) + " AS placed FROM reject_states FINAL WHERE " +
		where + " AND resolved = 0 AND stage = 'list' AND order_id != ''"
	// The newest version of each key by itself and not with FINAL, which would read the keys of the whole range.
	live, all := "argMax(is_deleted, version) = 0", slices.Concat(args, rangeArgs(stream, from, to), args)
	for _, f := range s.filters.Set() {
		live += " AND lower(argMax(" + f.Column + ", version)) = ?"
		all = append(all, strings.ToLower(f.Value))
	}
	type count struct {
		at int64 // in milliseconds
		n  uint64
	}
	counts, err := collect(ctx, s, `SELECT at, uniqExact(order_id) FROM (`+rejects+`) AS r
		INNER JOIN (SELECT order_id, any(`+bucket("create_time", size)+`) AS stored FROM order_rows
			WHERE `+inRange+` AND order_id GLOBAL IN (SELECT order_id FROM (`+rejects+`)) GROUP BY order_id, create_time HAVING `+live+`) AS o USING (order_id)
		WHERE isNull(placed) OR placed = at AND placed = stored GROUP BY at`,
		all, func(rows driver.Rows) (c count, err error) {
			return c, rows.Scan(&c.at, &c.n)
		})
	if err != nil {
		return nil, fmt.Errorf("count the rejects of stored orders: %w", err)
	}
	for _, c := range counts {
		held[c.at/1000] = int(c.n)
	}
	return held, nil
}

// RejectPage returns some of the rejects of a stream that are not resolved, as the query says, by id.
func (s *Sink) RejectPage(ctx context.Context, stream schema.Stream, q schema.RejectQuery) ([]schema.Reject, error) {
	between, args := rejectsBetween(stream, q.From, q.To)
	args = append(append(slices.Concat(args, args), q.Stages), q.After)
	out, err := s.states(ctx, between+" AND "+amongRejects(between)+" AND resolved = 0 AND stage IN (?) AND id > ? ORDER BY id LIMIT "+
		strconv.Itoa(q.Most), args)
	if err != nil || !q.Raw {
		return out, err
	}
	return out, s.payloads(ctx, stream, out)
}

// RejectsOf returns those of a stream's rejects that are not resolved and have one of some ids, or are about one of some orders.
func (s *Sink) RejectsOf(ctx context.Context, stream schema.Stream, ids, orderIDs []string) ([]schema.Reject, error) {
	var out []schema.Reject
	had := map[string]bool{}
	for _, of := range []struct {
		such string
		args []any // before the ids
		ids  []string
	}{{"id IN (?)", nil, ids}, {amongRejects("account = ? AND order_id IN (?)"), []any{stream.Account}, orderIDs}} {
		for chunk := range slices.Chunk(of.ids, maxIDs) {
			args := slices.Concat([]any{stream.Account, stream.OwnerID}, of.args, []any{chunk})
			some, err := s.states(ctx, ofStream+" AND "+of.such+" AND resolved = 0", args)
			if err != nil {
				return nil, err
			}
			for _, r := range some {
				if !had[r.ID] {
					out, had[r.ID] = append(out, r), true
				}
			}
		}
	}
	return out, nil
}

// states returns what became of the rejects that fulfil a condition, with their acceptances and without their payloads.
func (s *Sink) states(ctx context.Context, where string, args []any) ([]schema.Reject, error) {
	out, err := collect(ctx, s, rejectStateTable.all()+" FINAL WHERE "+where, args, func(rows driver.Rows) (schema.Reject, error) {
		r, err := rejectStateTable.scan(rows)
		r.Hash = r.Payload
		return r.Reject, err
	})
	for chunk := range slices.Chunk(out, maxIDs) {
		if err == nil {
			err = s.accepted(ctx, chunk)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the rejects: %w", err)
	}
	return out, nil
}

// accepted completes rejects of one account by their acceptances.
func (s *Sink) accepted(ctx context.Context, rejects []schema.Reject) error {
	ids := make([]string, len(rejects))
	for i := range rejects {
		ids[i] = rejects[i].ID
	}
	acceptances, err := collect(ctx, s, `SELECT id, reason, payload, toUnixTimestamp64Milli(accepted_at) FROM reject_acceptances FINAL
		WHERE account = ? AND id IN (?)`, []any{rejects[0].Account, ids}, func(rows driver.Rows) (r schema.Reject, err error) {
		var at int64
		err = rows.Scan(&r.ID, &r.Reason, &r.Hash, &at)
		r.AcceptedAt = fromMilliseconds(at)
		return r, err
	})
	for _, a := range acceptances {
		for i := range rejects {
			if r := &rejects[i]; r.ID == a.ID && r.Reason == a.Reason && r.Hash == a.Hash {
				r.AcceptedAt = a.AcceptedAt
			}
		}
	}
	return err
}

// RejectsOfOrders returns those of a stream's rejects that are not resolved and are about one of some orders, with their payloads.
func (s *Sink) RejectsOfOrders(ctx context.Context, stream schema.Stream, orderIDs []string) ([]schema.Reject, error) {
	out, err := s.RejectsOf(ctx, stream, nil, orderIDs)
	if err != nil {
		return nil, err
	}
	return out, s.payloads(ctx, stream, out)
}

// payloads completes rejects of one stream by their payloads and messages.
func (s *Sink) payloads(ctx context.Context, stream schema.Stream, rejects []schema.Reject) error {
	at := make(map[string]*schema.Reject, len(rejects))
	for i := range rejects {
		at[rejects[i].ID] = &rejects[i]
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(at)), maxIDs) {
		found, err := collect(ctx, s, "SELECT id, message, raw FROM reject_rows FINAL WHERE account = ? AND id IN (?)",
			[]any{stream.Account, ids}, func(rows driver.Rows) (r schema.Reject, err error) {
				err = rows.Scan(&r.ID, &r.Message, &r.Raw)
				return r, err
			})
		if err != nil {
			return fmt.Errorf("read the rejects: %w", err)
		}
		for _, r := range found {
			at[r.ID].Message, at[r.ID].Raw = r.Message, r.Raw
		}
	}
	return nil
}

// rejects returns the rejects that fulfil a condition of the view, whatever became of them, oldest first. raw is SQL for their
// payloads.
func (s *Sink) rejects(ctx context.Context, raw, where string, args ...any) ([]schema.Reject, error) {
	columns := strings.Replace(rejectTable.selected(), ", raw,", ", "+raw+",", 1)
	out, err := collect(ctx, s, "SELECT "+columns+" FROM rejects WHERE "+where+" ORDER BY first_seen, account, id", args, rejectTable.scan)
	if err != nil {
		return nil, fmt.Errorf("read the rejects: %w", err)
	}
	return out, nil
}

// ListRejects returns the rejects of all accounts, whatever became of them, oldest first. Their payloads are not read.
func (s *Sink) ListRejects(ctx context.Context) ([]schema.Reject, error) {
	return s.rejects(ctx, "''", "1")
}

// ListAccountRejects is ListRejects for one account.
func (s *Sink) ListAccountRejects(ctx context.Context, account string) ([]schema.Reject, error) {
	return s.rejects(ctx, "''", ofAccount, account)
}

// FindRejects returns the rejects of all accounts whose id begins with the prefix, whatever became of them, oldest first.
func (s *Sink) FindRejects(ctx context.Context, prefix string) ([]schema.Reject, error) {
	return s.rejects(ctx, "raw", "startsWith(id, ?)", prefix)
}

// FindAccountRejects is FindRejects for one account.
func (s *Sink) FindAccountRejects(ctx context.Context, account, prefix string) ([]schema.Reject, error) {
	return s.rejects(ctx, "raw", ofAccount+" AND startsWith(id, ?)", account, prefix)
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
	Stage     string    `json:"stage"`
	Reason    string    `json:"reason"`
	Count     int       `json:"count"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
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
	return write(ctx, s, acceptanceTable, []acceptance{{
		Account: r.Account, ID: r.ID, Reason: r.Reason, Payload: r.Payload(), AcceptedAt: r.AcceptedAt, AcceptedBy: r.AcceptedBy, Note: r.Note,
		Version: ^uint64(r.AcceptedAt.UnixNano()), // the first one counts
	}})
}

// acceptance is one row of reject_acceptances.
type acceptance struct {
	Account    string    `ch:"account,label"`
	ID         string    `ch:"id"`
	Reason     string    `ch:"reason,label"`
	Payload    uint64    `ch:"payload"`
	AcceptedAt time.Time `ch:"accepted_at"`
	AcceptedBy string    `ch:"accepted_by"`
	Note       string    `ch:"note"`
	Version    uint64    `ch:"version"`
}

var acceptanceTable = newTable("reject_acceptances", func(a *acceptance) string { return "acceptance of reject " + a.ID + " of " + a.Account })
