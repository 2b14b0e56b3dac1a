package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// What is wrong is told when it begins, once an hour, and when it ends, each cause for itself.
func TestTroubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		start := time.Now()
		told := NewTroubles(slog.NewTextHandler(&out, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.String("at", a.Value.Time().Sub(start).String())
				}
				return a
			},
		}))
		for i := range 30 { // a run every five minutes
			l := stream.Outcome{Stream: schema.Stream{Account: "main"}}
			if i >= 2 && i < 27 {
				l.Err = &source.Error{Vendor: "bss", API: "QueryOrders", Reason: source.Unavailable, Code: "503", RequestID: strings.Repeat("x", i)}
			}
			if i == 4 || i == 5 {
				l.Rejected = i
			}
			if i == 20 {
				l.Faults = []stream.Fault{{Verdict: schema.Short, Cause: "TotalCount is and were listed", Error: "TotalCount is 3 and 2 were listed"}}
			}
			if l.Pending = 1; i == 0 {
				l.PendingError = "refused"
			}
			told.now(t.Context(), "main", []any{"account", "main"}, troublesOf(l)...)
			time.Sleep(5 * time.Minute)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			at, rest, _ := strings.Cut(strings.TrimSpace(line), " level=")
			before, after, _ := strings.Cut(rest, " error=")
			before, _, _ = strings.Cut(before, " verdict=")
			_, because, _ := strings.Cut(after, " because=")
			rest = strings.TrimSpace(before + " " + because)
			got = append(got, at+" "+rest)
		}
		want := []string{
			`at=0s ERROR msg="something is wrong" account=main refused`,
			`at=10m0s ERROR msg="something is wrong" account=main`,
			`at=20m0s ERROR msg="something is wrong" account=main`,
			`at=30m0s INFO msg="what was wrong has ended" account=main cause="records rejected" after=10m0s runs=2`,
			`at=1h0m0s ERROR msg="something is still wrong" account=main refused since=2000-01-01T00:00:00.000Z runs=12`,
			`at=1h10m0s ERROR msg="something is still wrong" account=main`,
			`at=1h40m0s ERROR msg="something is wrong" account=main`,
			`at=1h45m0s INFO msg="what was wrong has ended" account=main cause="short: TotalCount is 3 and 2 were listed" after=5m0s runs=1`,
			`at=2h0m0s ERROR msg="something is still wrong" account=main refused since=2000-01-01T00:00:00.000Z runs=24`,
			`at=2h10m0s ERROR msg="something is still wrong" account=main`,
			`at=2h15m0s INFO msg="what was wrong has ended" account=main cause="bss QueryOrders: unavailable 503" after=2h5m0s runs=25`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Which owners of an account were asked is said where that is not all; that some wait, when two runs in a row leave them, and when
// that ends: for the list quota, or for something else.
func TestTurns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	told := NewTroubles(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if slices.Contains([]string{slog.TimeKey, slog.LevelKey, "cause", "remedy", "after", "runs"}, a.Key) {
			return slog.Attr{}
		}
		return a
	}}))
	for _, s := range []stream.Summary{
		{Streams: make([]stream.Outcome, 1)}, {Streams: make([]stream.Outcome, 3)}, {Streams: make([]stream.Outcome, 2), Quiet: 1},
		{Streams: make([]stream.Outcome, 1), Quiet: 1, Left: 1, QuotaUsed: true}, {Streams: make([]stream.Outcome, 1), Left: 2, Late: 1, QuotaUsed: true},
		{Quiet: 3}, {Streams: make([]stream.Outcome, 1), Left: 2, Late: 2},
	} {
		told.turns(t.Context(), "main", s)
	}
	want := `msg="owners that were asked" account=main asked=2 quiet=1 waiting=0
msg="owners that were asked" account=main asked=1 quiet=1 waiting=1
msg="owners that were asked" account=main asked=1 quiet=0 waiting=2
msg="something is wrong" account=main error="owners wait longer than they should: the list quota is too small to ask all whose turn it is" waiting=1
msg="owners that were asked" account=main asked=0 quiet=3 waiting=0
msg="what was wrong has ended" account=main
msg="owners that were asked" account=main asked=1 quiet=0 waiting=2
msg="something is wrong" account=main error="owners wait longer than they should: the runs take too long to ask all whose turn it is, though they do not use up the list quota" waiting=2
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestCauses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b string }{
		{"3 listings in a row: timeout [request 8F-1]", "4 listings in a row: timeout [request A0]"},
		{"TotalCount is 12 and 10 were listed", "TotalCount is 7 and 3 were listed"},
	} {
		if a, b := causeOf(errors.New(c.a)), causeOf(errors.New(c.b)); a != b {
			t.Errorf("%q is not %q", a, b)
		}
	}
	if causeOf(errors.New("timeout")) == causeOf(errors.New("unavailable")) {
		t.Error("two causes are one")
	}
}
