package sink

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// collect runs a query and returns what scan makes of each row of its result. Where the connection breaks, in the middle of
// the result too, the query is run again and the result begins anew, so that no row of it counts twice.
func collect[T any](ctx context.Context, s *Sink, query string, args []any, scan func(driver.Rows) (T, error)) ([]T, error) {
	var out []T
	err := s.read(ctx, func() error {
		out = nil
		rows, err := s.conn.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			row, err := scan(rows)
			if err != nil {
				return &scanError{err}
			}
			out = append(out, row)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// row runs a query whose result is one row, always, and stores that in the targets, as [driver.Rows.Scan] does.
func (s *Sink) row(ctx context.Context, query string, args []any, targets ...any) error {
	_, err := collect(ctx, s, query, args, func(rows driver.Rows) (none struct{}, _ error) { return none, rows.Scan(targets...) })
	return err
}

// scanError is a row that arrived and is not what was expected. It would be the same the next time.
type scanError struct{ error }

func (e *scanError) Unwrap() error { return e.error }

// read does op on a connection of the pool, and again while it fails for a reason that passes: a restart of the server
// must not end a run of hours. op must make its result anew each time.
func (s *Sink) read(ctx context.Context, op func() error) error {
	return s.retry.do(ctx, s.retry.tell(ctx, "read failed, trying again"), func() error { return s.connected(ctx, op) })
}

// connected does op when there is a connection of the pool for it. Whoever waits for one gets it in turn, however many
// others wait and however long that takes: only ctx ends it. The driver's own wait would fail after Config.DialTimeout.
func (s *Sink) connected(ctx context.Context, op func() error) error {
	if err := s.turns.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	defer s.turns.Release(1)
	return op()
}
