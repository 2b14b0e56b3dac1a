package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// view is a report as the template shows it.
type view struct {
	*status.Report
	Worst               *status.Stream // the one that is furthest behind, and none is so far as one that was never whole; nil for none
	Never               int            // how many were never whole
	Maps                []mapView
	Table               []*status.Stream // the streams that are shown, in their order
	Shown               string           // the state that they have; empty for any
	Find                string           // what is in their names
	States, Heads       []link           // of the table: how many there are of each state, and by what it is sorted
	Causes              []cause
	Every               int    // seconds until the page is loaded again
	Older, Newer, Today string // links; empty where there is nothing
	Ranges              []link
	Only                string // the stream that was asked for
	Orders              uint64
	OpenRejects         int
	Legend              []status.State
	Charts              []chart
}

// How often the page is loaded again: by itself, since it has no script.
const (
	refreshEvery   = 60
	refreshRunning = 10 // while something runs that is worth watching
)

type link struct {
	Text, URL string
	Current   bool
}

func newView(r *status.Report, asked url.Values) *view {
	v := &view{Report: r, Only: asked.Get("lane"), Legend: status.States, Every: refreshEvery}
	for i := range r.Accounts {
		l := &r.Accounts[i]
		lag, ok := l.Lag()
		if worst, _ := v.worstLag(); ok && (v.Worst == nil || lag > worst) {
			v.Worst = l
		}
		if !ok && !l.Unconfigured {
			v.Never++
		}
		v.Orders += l.Orders
		if !l.Unconfigured {
			v.OpenRejects += l.OpenRejects
		}
		if l.Coverage != nil {
			v.Maps = append(v.Maps, newMapView(l, time.Duration(r.Map.CellSeconds)*time.Second))
		}
	}
	for _, x := range r.Running {
		if x.Kind != sink.RunTick {
			v.Every = refreshRunning
		}
	}
	v.tabulate(asked)
	v.Causes = causes(r)
	for i := range r.Spend {
		v.Charts = append(v.Charts, newChart(&r.Spend[i]))
	}
	to := func(from time.Time, days int) string {
		q := url.Values{}
		if !from.IsZero() {
			q.Set("from", from.Format(time.DateOnly))
		}
		if days != status.DefaultDays {
			q.Set("days", strconv.Itoa(days))
		}
		if v.Only != "" {
			q.Set("lane", v.Only)
		}
		return "/?" + q.Encode()
	}
	if r.Map.LedgerFrom != nil && r.Map.LedgerFrom.Before(r.Map.From) {
		v.Older = to(r.Map.From.AddDate(0, 0, -r.Map.Days), r.Map.Days)
	}
	if !r.Map.To.After(r.Now) {
		v.Newer, v.Today = to(r.Map.To, r.Map.Days), to(time.Time{}, r.Map.Days)
		if r.Map.To.AddDate(0, 0, r.Map.Days).After(r.Now) {
			v.Newer = v.Today
		}
	}
	for _, n := range []int{7, status.DefaultDays, status.MaxDays} {
		last := r.Map.To.AddDate(0, 0, -n)
		if v.Newer == "" {
			last = time.Time{}
		}
		v.Ranges = append(v.Ranges, link{schema.Plural(n, "day"), to(last, n), n == r.Map.Days})
	}
	return v
}

func (v *view) worstLag() (time.Duration, bool) {
	if v.Worst == nil {
		return 0, false
	}
	return v.Worst.Lag()
}

// Lag is how far behind the worst stream is.
func (v *view) Lag() time.Duration {
	lag, _ := v.worstLag()
	return lag.Round(time.Second)
}

// Usual is the lag that the worst stream stays below in good health.
func (v *view) Usual() time.Duration {
	if v.Worst == nil {
		return 0
	}
	return time.Duration(v.Worst.TargetSeconds) * time.Second
}

// Many reports whether there are so many streams that their causes do not fit beside them.
func (v *view) Many() bool { return len(v.Table) > manyRows }

// manyRows is from how many rows on the table has the kind of each cause only; the text is above and where the name leads.
const manyRows = 40

// Last is the last day of the maps.
func (v *view) Last() time.Time { return v.Map.To.AddDate(0, 0, -1) }

// NextIn is the time until the next scheduled run is due.
func (v *view) NextIn() time.Duration { return v.NextRun.Sub(v.Now).Round(time.Second) }

// Wrong counts the streams that somebody should look at.
func (v *view) Wrong() (n int) {
	for i := range v.Accounts {
		if v.Accounts[i].Diagnosis.State.Bad() {
			n++
		}
	}
	return n
}

// Idle reports whether no daemon keeps up to date what is.
func (v *view) Idle() bool {
	return slices.ContainsFunc(v.Accounts, func(l status.Stream) bool { return l.Diagnosis.State == diagnosis.Idle })
}

// Ago is how long ago a time was.
func (v *view) Ago(t time.Time) string {
	return format.Span(max(0, v.Now.Sub(t).Round(time.Second))) + " ago"
}

// mapView is the heat map of a stream.
type mapView struct {
	*status.Stream
	Columns int
	Heads   []string // over the columns, each over as many
	Rows    []mapRow
}

// HeadSpan is how many columns a head is over.
func (m *mapView) HeadSpan() int { return m.Columns / max(1, len(m.Heads)) }

type mapRow struct {
	Weekday, Day string
	Cells        []mapCell
}

type mapCell struct{ Class, Why string }

func newMapView(l *status.Stream, cell time.Duration) mapView {
	m := mapView{Stream: l, Columns: int(24 * time.Hour / cell)}
	if heads := 4; m.Columns%heads == 0 {
		for i := range heads {
			m.Heads = append(m.Heads, fmt.Sprintf("%02d:00", i*24/heads))
		}
	}
	steps := newSteps(l.Coverage)
	for _, d := range l.Coverage {
		row := mapRow{Weekday: d.Day.Format("Mon"), Day: d.Day.Format("02 Jan"), Cells: make([]mapCell, len(d.Cells))}
		for i := range d.Cells {
			c := &d.Cells[i]
			row.Cells[i] = mapCell{class(c, steps), c.Why}
			if 2*i >= len(d.Cells) {
				row.Cells[i].Class += " right" // what it says opens to the left
			}
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// steps are from how many orders on a complete cell is darker: with the first, as half of the cells that have some, and
// as one in ten of them.
type steps [3]int

func newSteps(days []status.Day) steps {
	var orders []int
	for _, d := range days {
		for i := range d.Cells {
			if n := d.Cells[i].Orders; n > 0 {
				orders = append(orders, n)
			}
		}
	}
	slices.Sort(orders)
	if len(orders) == 0 {
		return steps{1, 1, 1}
	}
	return steps{1, orders[len(orders)/2], orders[len(orders)*9/10]}
}

// class is how a cell looks: its state; where it is complete, how much was ordered; and whether something in it is not
// whole.
func class(c *status.Cell, from steps) string {
	s := string(c.State)
	if c.State == status.Complete {
		step := 0
		for _, n := range from {
			if c.Orders >= n {
				step++
			}
		}
		s += " n" + strconv.Itoa(step)
	}
	if c.Rejected+c.Pending > 0 {
		s += " marked"
	}
	return s
}
