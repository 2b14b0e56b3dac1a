package cli_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

// reporting.refresh makes spend_stored, which the reader reads like any view and whose age the status says.
func TestStoredSpend(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 200, From: time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, -2)})
	w.configure("schedule:", "reporting: {refresh: 10s}\nschedule:")
	contains(t, w.run(2, "migrate").err, "reporting.refresh", "is not a span of whole seconds from 1m to 366d")
	w.configureAgain("schedule:", "reporting: {refresh: 1h}\nschedule:")
	w.run(0, "backfill", "--from", "2d")
	w.run(0, "sql", "--write", "SYSTEM REFRESH VIEW spend_stored; SYSTEM WAIT VIEW spend_stored")
	const asked = "SELECT count() > 200, sum(cityHash64(toString(tuple(* EXCEPT refreshed_at)))) = (SELECT sum(cityHash64(toString(tuple(*)))) FROM spend) FROM spend_stored"
	if out := w.run(0, "sql", "--format", "TSV", asked).out; out != "1\t1\n" {
		t.Errorf("it differs from spend: %s", out)
	}
	type report struct {
		Stored *struct {
			Name        string
			RefreshedAt time.Time `json:"refreshed_at"`
			Seconds     float64   `json:"every_seconds"`
			Overdue     bool
		} `json:"stored_view"`
	}
	got := decode[report](t, w.run(0, "status", "--json").out).Stored
	if got == nil || got.Name != "spend_stored" || got.Seconds != 3600 || got.Overdue || time.Since(got.RefreshedAt) > time.Hour {
		t.Errorf("the status says %+v", got)
	}
	contains(t, w.run(0, "status").out, "spend_stored is of "+got.RefreshedAt.Format("2006-01-02 15:"), "made anew every 1h0m")

	w.configureAgain("schedule:", "schedule:")
	contains(t, w.run(0, "status").out, "spend_stored is of ")
	contains(t, w.run(0, "migrate").out, "drop the view spend_stored")
	if got := decode[report](t, w.run(0, "status", "--json").out).Stored; got != nil {
		t.Errorf("it was dropped, and the status says %+v", got)
	}
}
