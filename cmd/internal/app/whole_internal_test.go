package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// A month is whole where its windows leave nothing open, whatever it is.
func TestLacksWindows(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2026, 10, day, 0, 0, 0, 0, time.UTC) }
	w := func(from, to int, verdict schema.Verdict) schema.Window {
		return schema.Window{Start: at(from), End: at(to), Verdict: verdict}
	}
	pending := w(11, 32, schema.Complete)
	pending.Pending = 2
	for _, c := range []struct {
		what     string
		windows  []schema.Window
		accepted int
		want     string
	}{
		{"whole", []schema.Window{w(1, 11, schema.Complete), w(11, 32, schema.Complete)}, 0, ""},
		{"windows on its edges", []schema.Window{w(-5, 0, schema.Failed), w(0, 11, schema.Complete), w(11, 40, schema.Complete), w(40, 41, schema.Short)}, 0, ""},
		{"nothing", nil, 0, "the window of 2026-10-01T00:00:00Z is missing"},
		{"no beginning", []schema.Window{w(3, 32, schema.Complete)}, 0, "--from 2026-10-01T00:00:00Z --to 2026-10-03T00:00:00Z --account main`"},
		{"no end", []schema.Window{w(1, 31, schema.Complete)}, 0, "--from 2026-10-31T00:00:00Z --to 2026-11-01T00:00:00Z --account main`"},
		{"gaps", []schema.Window{w(1, 5, schema.Complete), w(6, 9, schema.Complete), w(12, 32, schema.Complete)}, 0, "--from 2026-10-05T00:00:00Z --to 2026-10-12T00:00:00Z --account main`"},
		{"short", []schema.Window{w(1, 5, schema.Complete), w(5, 6, schema.Short), w(6, 32, schema.Complete)}, 0, "--from 2026-10-05T00:00:00Z --to 2026-10-06T00:00:00Z --account main`"},
		{"open", []schema.Window{w(1, 31, schema.Complete), w(31, 32, schema.Open)}, 0, "--from 2026-10-31T00:00:00Z"},
		{"of other filters", []schema.Window{w(1, 31, ""), w(31, 32, schema.Complete)}, 0, "--to 2026-10-31T00:00:00Z"},
		{"pending", []schema.Window{w(1, 11, schema.Complete), pending}, 1, "the details of 1 order are not there yet"},
		{"accepted", []schema.Window{w(1, 11, schema.Complete), pending}, 2, ""},
	} {
		got := ""
		if lacks := lacksWindows(schema.Stream{Account: "main"}, window.Interval{Start: at(1), End: at(32)}, c.windows, c.accepted); lacks != nil {
			got = errors.Join(lacks...).Error()
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", c.what, got)
		}
	}
}
