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
	"strconv"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
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
	"lag": func(l *status.Stream) string {
		lag, _ := l.Lag()
		return format.Span(lag.Round(time.Second))
	},
	"hundred": func(share float64) int { return int(100*share + 0.5) },
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
		return schema.Thousands(n)
	}
	return schema.Thousands(n.(int))
}

func pluralAny(n any, thing string) string {
	if n, ok := n.(uint64); ok {
		return schema.Plural(n, thing)
	}
	return schema.Plural(n.(int), thing)
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
	if report != nil {
		if err != nil { // it is shown all the same, for what it is
			last := *report
			last.OK, last.Problems = false, append([]string{err.Error() + "; this is how everything stood at the time above"}, last.Problems...)
			report = &last
		}
		if err = pageTemplate.Execute(&body, newView(report, r.URL.Query())); err != nil {
			p.log.Error("the status page could not be made", "error", err)
			code, err = http.StatusInternalServerError, errors.New("the page could not be made; the log says why")
		}
	}
	if err != nil {
		body.Reset()
		_ = pageTemplate.ExecuteTemplate(&body, "error", map[string]any{"Code": code, "Text": err.Error()})
	}
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	answer(w, code, "text/html; charset=utf-8", body.Bytes())
}

// json serves the report for machines.
func (p *page) json(w http.ResponseWriter, r *http.Request) {
	report, code, err := p.report(r)
	var v any = report
	if err != nil { // a machine is not given what may have changed since
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

// report returns what was asked for, or what to answer instead: an error, with the last report where there is one.
func (p *page) report(r *http.Request) (report *status.Report, code int, err error) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	report, err = p.reports.get(r.Context(), q)
	var stream *status.StreamError
	switch {
	case errors.As(err, &stream):
		return nil, http.StatusNotFound, err
	case err != nil:
		// The cause is in the log; strangers need not see addresses.
		p.log.Warn("the status could not be had", "error", err)
		return report, http.StatusServiceUnavailable, errors.New("the warehouse does not answer: what is synced and how far cannot be said now; " +
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
	q.Stream = v.Get("lane")
	return q, nil
}
