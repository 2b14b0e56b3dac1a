package web

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/sink"
)

//go:embed page.html
var pageText string

//go:embed page.css
var styleText string

// pageTemplate is the status page: one document, without JavaScript and with nothing to load.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"style":  func() template.CSS { return template.CSS(styleText) },
	"count":  countAny,
	"plural": pluralAny,
	"span":   format.Span,
	"amount": format.Amount,
	"time":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	"clock":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"date":   func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"join":   func(words []string) string { return strings.Join(words, ", ") },
	"prose":  prose,
	"eta": func(r status.Run) string {
		if left, ok := r.ETA(); ok {
			return format.Span(left.Round(time.Second))
		}
		return ""
	},
	"lag": func(l *status.Lane) string {
		lag, _ := l.Lag()
		return format.Span(lag.Round(time.Second))
	},
	"hundred": func(share float64) int { return int(100*share + 0.5) },
	"percent": func(part, whole uint64) int {
		if whole == 0 {
			return 0
		}
		return int(100 * part / whole)
	},
}).Parse(pageText))

// prose is text in which commands stand between backticks.
func prose(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String())
}

// countAny and pluralAny are for the template, which knows no generics.
func countAny(n any) string {
	if n, ok := n.(uint64); ok {
		return format.Count(n)
	}
	return format.Count(n.(int))
}

func pluralAny(n any, thing string) string {
	if n, ok := n.(uint64); ok {
		return format.Plural(n, thing)
	}
	return format.Plural(n.(int), thing)
}

// page answers for the status page and the same as JSON.
type page struct {
	log     *slog.Logger
	reports *reports
}

// html serves the page.
func (p *page) html(w http.ResponseWriter, r *http.Request) {
	report, code, err := p.report(r)
	var body bytes.Buffer
	if err == nil {
		err = pageTemplate.Execute(&body, newView(report, r.URL.Query()))
		if err != nil {
			p.log.Error("the status page could not be made", "error", err)
			code, err = http.StatusInternalServerError, errors.New("the page could not be made; the log says why")
		}
	}
	if err != nil {
		body.Reset()
		_ = pageTemplate.ExecuteTemplate(&body, "error", map[string]any{"Code": code, "Text": err.Error()})
	}
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	answer(w, code, "text/html; charset=utf-8", body.Bytes())
}

// json serves the report for machines.
func (p *page) json(w http.ResponseWriter, r *http.Request) {
	report, code, err := p.report(r)
	var v any = report
	if err != nil {
		v = map[string]string{"error": err.Error()}
	}
	body, err := json.Marshal(v)
	if err != nil { // a report has nothing that cannot be JSON
		p.log.Error("the report could not be written as JSON", "error", err)
		code = http.StatusInternalServerError
	}
	answer(w, code, "application/json", body)
}

func answer(w http.ResponseWriter, code int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(body) // whoever asked may have gone
}

// report gives what was asked for, or what to answer instead.
func (p *page) report(r *http.Request) (report *status.Report, code int, err error) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	report, err = p.reports.get(r.Context(), q)
	var lane *status.LaneError
	switch {
	case errors.As(err, &lane):
		return nil, http.StatusNotFound, err
	case err != nil:
		// The cause is in the log; strangers need not see addresses.
		p.log.Warn("the status could not be had", "error", err)
		return nil, http.StatusServiceUnavailable, errors.New("the warehouse does not answer: what is synced and how far cannot be said now; " +
			"the log of ordersync says why")
	}
	return report, http.StatusOK, nil
}

// parseQuery reads ?from=2024-01-01&days=35&lane=main.
func parseQuery(v url.Values) (q status.Query, err error) {
	if text := v.Get("from"); text != "" {
		if q.From, err = time.Parse(time.DateOnly, text); err != nil || q.From.Year() < 1970 || q.From.Year() > 2200 {
			return q, fmt.Errorf("from=%q is not a date such as 2024-01-31", text)
		}
	}
	if text := v.Get("days"); text != "" {
		if q.Days, err = strconv.Atoi(text); err != nil || q.Days < 1 || q.Days > status.MaxDays {
			return q, fmt.Errorf("days=%q is not a number from 1 to %d", text, status.MaxDays)
		}
	}
	q.Lane = v.Get("lane")
	return q, nil
}

// view is a report as the template shows it.
type view struct {
	*status.Report
	Worst               *status.Lane // the one that is furthest behind; nil for none
	Never               bool         // a lane has nothing that is complete
	Maps                []mapView
	Others              []*status.Lane // without a map
	Older, Newer, Today string         // links; empty where there is nothing
	Ranges              []link
	Only                string // the lane that was asked for
	Live                bool   // something runs that is worth watching
	Orders              uint64
	OpenRejects         int
	Legend              []status.State
	Charts              []chart
}

type link struct {
	Text, URL string
	Current   bool
}

func newView(r *status.Report, asked url.Values) *view {
	v := &view{Report: r, Only: asked.Get("lane"), Legend: status.States}
	for i := range r.Accounts {
		l := &r.Accounts[i]
		lag, ok := l.Lag()
		v.Never = v.Never || !ok
		if worst, _ := v.worstLag(); ok && (v.Worst == nil || lag > worst) {
			v.Worst = l
		}
		v.Orders += l.Orders
		v.OpenRejects += l.OpenRejects
		if l.Coverage == nil {
			v.Others = append(v.Others, l)
		} else {
			v.Maps = append(v.Maps, newMapView(l, time.Duration(r.Map.CellSeconds)*time.Second))
		}
	}
	for _, x := range r.Running {
		v.Live = v.Live || x.Kind != sink.RunTick
	}
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
		v.Ranges = append(v.Ranges, link{format.Plural(n, "day"), to(last, n), n == r.Map.Days})
	}
	return v
}

func (v *view) worstLag() (time.Duration, bool) {
	if v.Worst == nil {
		return 0, false
	}
	return v.Worst.Lag()
}

// Lag is how far behind the worst lane is.
func (v *view) Lag() time.Duration {
	lag, _ := v.worstLag()
	return lag.Round(time.Second)
}

// Last is the last day of the maps.
func (v *view) Last() time.Time { return v.Map.To.AddDate(0, 0, -1) }

// NextIn is the time until the next tick is due.
func (v *view) NextIn() time.Duration { return v.NextTick.Sub(v.Now).Round(time.Second) }

// ProblemCount counts all problems.
func (v *view) ProblemCount() int {
	n := len(v.Problems)
	for i := range v.Accounts {
		n += len(v.Accounts[i].Problems)
	}
	return n
}

// Ago is how long ago a time was.
func (v *view) Ago(t time.Time) string {
	return format.Span(max(0, v.Now.Sub(t).Round(time.Second))) + " ago"
}

// mapView is the heat map of a lane.
type mapView struct {
	*status.Lane
	Columns int
	Heads   []string // over the columns, each over as many
	Rows    []mapRow
	Bad     int // cells that somebody should look at
}

// HeadSpan is how many columns a head is over.
func (m *mapView) HeadSpan() int { return m.Columns / max(1, len(m.Heads)) }

type mapRow struct {
	Weekday, Day string
	Cells        []mapCell
}

type mapCell struct{ Class, Why string }

func newMapView(l *status.Lane, cell time.Duration) mapView {
	m := mapView{Lane: l, Columns: int(24 * time.Hour / cell)}
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
			if c.State.Bad() {
				m.Bad++
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
