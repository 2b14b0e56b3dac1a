package sink

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v4"

	"github.com/ordersync/ordersync/schema"
)

// Bounds of the wait for a stored view.
const (
	fillTakes = 10 * time.Minute
	fillLook  = 50 * time.Millisecond
)

// fillView waits until the server has filled a stored view that was just made, on each server: until then it is empty and looks
// as if nothing was spent. One that cannot be filled, or takes longer, is no error: [Sink.StoredView] tells.
func (f *found) fillView(ctx context.Context, conn driver.Conn, name string) error {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(fillLook), backoff.WithMaxElapsedTime(fillTakes))
	for {
		var filling uint64
		err := conn.QueryRow(ctx, "SELECT countIf(last_success_time IS NULL AND exception = '') FROM "+f.everywhere("view_refreshes")+
			" WHERE database = ? AND view = ?", f.cfg.Database, name).Scan(&filling)
		next := wait.NextBackOff()
		if err != nil || filling == 0 || next == backoff.Stop {
			return err
		}
		select {
		case <-time.After(next):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// StoredView is how the view stands that the server keeps as a table.
type StoredView struct {
	Name  string
	Every time.Duration // how often it is made anew
	At    time.Time     // what it shows is of then, UTC; zero while it was never made
	Error string        // why the server could not make it anew the last time; empty where it could
	// Running says that it is being made anew.
	Running bool
}

// Overdue reports whether it should have been made anew at least once since.
func (v *StoredView) Overdue(now time.Time) bool { return !v.Running && now.Sub(v.At) > 2*v.Every }

// StoredView returns how it stands on the server of the connection, since in a cluster each has its own, or nil where there is
// none. Each look at the streams asks, so that where there is none it is one read of a list that is empty.
func (s *Sink) StoredView(ctx context.Context) (*StoredView, error) {
	views, err := collect(ctx, s, `SELECT view, ifNull(last_success_time, toDateTime(0)), exception, status = 'Running' FROM system.view_refreshes
		WHERE database = currentDatabase() AND endsWith(view, ?)`, []any{schema.Stored}, func(rows driver.Rows) (v StoredView, err error) {
		err = rows.Scan(&v.Name, &v.At, &v.Error, &v.Running)
		v.Error, _, _ = strings.Cut(v.Error, ", Stack trace")
		return v, err
	})
	if err != nil || len(views) == 0 {
		return nil, err
	}
	v := views[0]
	var comment string
	var rows time.Time // the server forgets when it is started again, and they do not; all say the same
	if err := s.row(ctx, "SELECT comment, (SELECT max(refreshed_at) FROM (SELECT refreshed_at FROM "+v.Name+" LIMIT 1)) FROM system.tables "+
		"WHERE database = currentDatabase() AND name = ?", []any{v.Name}, &comment, &rows); err != nil {
		return nil, fmt.Errorf("read of when %s is: %w", v.Name, err)
	}
	v.Every = schema.RefreshOf(comment)
	if v.At = v.At.UTC(); rows.Unix() > 0 {
		v.At = rows
	}
	if v.At.Unix() == 0 {
		v.At = time.Time{}
	}
	return &v, nil
}
