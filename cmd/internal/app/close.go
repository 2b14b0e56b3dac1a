package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/window"
)

const (
	// settleLimit bounds how long a close waits for the runs under way at its moment.
	settleLimit = 10 * time.Minute
	settleEvery = time.Second
)

// CloseMonth records what the month of a calendar, given by its first day, came to in the reporting zone, and returns the rows of
// closes. It refuses a month that is not over or not whole for each configured account, and says how that is cured. What was
// received until its moment and is not written yet is waited for: waits is told of the run that holds it.
func (w *Warehouse) CloseMonth(ctx context.Context, c *config.Config, month time.Time, by string, waits func(sink.Run)) ([]sink.Close, error) {
	in := w.Month(month)
	start, end := in.Start, in.End
	name := month.Format("2006-01")
	if now := time.Now(); now.Before(end) {
		return nil, fmt.Errorf("%s is not over: close it after %s", name, end.In(w.Zone()).Format(time.RFC3339))
	}
	lacks, err := w.Lacks(ctx, Streams(c), in)
	if err != nil {
		return nil, err
	}
	if lacks[0] != nil {
		return nil, fmt.Errorf("%s cannot be closed, because it is not whole:\n%w", name, errors.Join(lacks[0]...))
	}
	moment := time.Now().UTC().Truncate(time.Millisecond)
	if err := w.settled(ctx, moment, start, end, waits); err != nil {
		return nil, err
	}
	figures, err := w.Figures(ctx, start, end, moment)
	if err != nil {
		return nil, err
	}
	for i := range c.Accounts { // one without lines was closed, too
		if account := c.Accounts[i].Name; !slices.ContainsFunc(figures, func(f sink.Figures) bool { return f.Account == account }) {
			figures = append(figures, sink.Figures{Account: account})
		}
	}
	rows := make([]sink.Close, len(figures))
	for i, f := range figures {
		rows[i] = sink.Close{Month: month, Zone: w.Zone().String(), Start: start, End: end, ClosedAt: moment, ClosedBy: by, Figures: f}
	}
	return rows, w.WriteClose(ctx, rows)
}

// Month is when a month of the calendar, given by its first day, begins and ends in the reporting zone, in UTC. Where a clock is
// put forward at midnight, the day begins at that moment.
func (w *Warehouse) Month(month time.Time) window.Interval {
	zone := w.Zone()
	begins := func(year int, month time.Month) time.Time {
		at := time.Date(year, month, 1, 0, 0, 0, 0, zone)
		if at.Day() != 1 {
			_, at = at.ZoneBounds()
		}
		return at.UTC()
	}
	return window.Interval{Start: begins(month.Year(), month.Month()), End: begins(month.Year(), month.Month()+1)}
}

// settled waits until no run holds rows of [start, end) that it received before a moment: until each that was under way then has
// ended. A later one receives what it writes later.
func (w *Warehouse) settled(ctx context.Context, moment, start, end time.Time, waits func(sink.Run)) error {
	every := time.NewTicker(settleEvery)
	defer every.Stop()
	told := map[string]bool{}
	for {
		now := time.Now().UTC()
		running, err := w.RunningRuns(ctx, now, schema.MinTime)
		if err != nil {
			return err
		}
		running = slices.DeleteFunc(running, func(r sink.Run) bool {
			return r.StartedAt.After(moment) || !r.From.IsZero() && !r.From.Before(end) || !r.To.IsZero() && !r.To.After(start)
		})
		if len(running) == 0 {
			return nil
		}
		oldest := running[len(running)-1]
		if now.Sub(moment) > settleLimit {
			return fmt.Errorf("nothing was closed: the %s that %s began on %s may hold orders of the month that it has not written; `ordersync status` shows it, close the month when it has ended",
				oldest.Kind, oldest.Process, oldest.StartedAt.Format(time.RFC3339))
		}
		if !told[oldest.ID] {
			told[oldest.ID] = true
			waits(oldest)
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// CheckedClose is a row of closes, and what the same month comes to as it was known at the moment of the close.
type CheckedClose struct {
	sink.Close
	Now sink.Figures
}

// Same reports whether the close was had again, to the digit.
func (c CheckedClose) Same() bool { return c.Figures.Equal(c.Now) }

// CheckCloses adds up closes again, each from the states of then. The rows of one close follow one another.
func (w *Warehouse) CheckCloses(ctx context.Context, rows []sink.Close) (out []CheckedClose, err error) {
	for len(rows) > 0 {
		first := rows[0]
		n := slices.IndexFunc(rows, func(r sink.Close) bool { return !r.ClosedAt.Equal(first.ClosedAt) || !r.Month.Equal(first.Month) })
		if n < 0 {
			n = len(rows)
		}
		var accounts []string
		for _, r := range rows[:n] {
			accounts = append(accounts, r.Account)
		}
		figures, err := w.FiguresOf(ctx, first.Start, first.End, first.ClosedAt, accounts)
		if err != nil {
			return nil, fmt.Errorf("the close of %s on %s: %w", first.Month.Format("2006-01"), first.ClosedAt.Format(time.RFC3339), err)
		}
		for _, r := range rows[:n] {
			c := CheckedClose{r, sink.Figures{Account: r.Account, Currency: r.Currency}}
			if at := slices.IndexFunc(figures, func(f sink.Figures) bool { return f.Account == r.Account && f.Currency == r.Currency }); at >= 0 {
				c.Now = figures[at]
				figures = slices.Delete(figures, at, at+1)
			}
			out = append(out, c)
		}
		for _, f := range figures { // a currency that the close does not have
			c := CheckedClose{first, f}
			c.Figures = sink.Figures{Account: f.Account, Currency: f.Currency}
			out = append(out, c)
		}
		rows = rows[n:]
	}
	return out, nil
}
