package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/ordersync/ordersync/sync/source"
)

// someway is a task of 1440 windows a quarter through.
func someway() *task {
	start := time.Now()
	return &task{verb: "backfill", commits: true, state: func() state {
		seconds := time.Since(start).Seconds()
		return state{
			share: min(1, seconds/40), ends: start.Add(40 * time.Second), done: int64(36 * seconds), total: 1440, unit: "window",
			counts: []counted{{int64(100 * seconds), "orders"}, {int64(250 * seconds), "items"}}, limit: 120,
		}
	}}
}

// Where there is no terminal, progress is a line now and then.
func TestProgressLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &program{err: &out, console: &console{to: &out}}
		stop := p.follow(t.Context(), someway())
		time.Sleep(lineEvery + time.Second)
		stop()
		if want := "backfill 25%: windows 360/1,440, 1,000 orders, 2,500 items, 100 of 120 orders/s, ETA 30s\n"; out.String() != want {
			t.Errorf("%q instead of %q", out.String(), want)
		}
	})
}

// While the vendor wants no call a line says so, and until when.
func TestProgressWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, machine := range []bool{false, true} {
			var out bytes.Buffer
			p := &program{err: &out, console: &console{to: &out}, machine: machine}
			task := someway()
			before := task.state
			task.state = func() state {
				s := before()
				s.waits = source.Pause{Asked: time.Hour, Until: time.Now().Add(5 * time.Minute)}.String()
				return s
			}
			stop := p.follow(t.Context(), task)
			time.Sleep(lineEvery + time.Second)
			stop()
			if want := "the vendor asked for 1h0m0s: no call before 2000-01-01 00:05:"; !strings.Contains(out.String(), want) || strings.Contains(out.String(), "ETA") {
				t.Errorf("%q says nothing of %q", out.String(), want)
			}
		}
	})
}

// For a program each line is JSON.
func TestProgressForMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &program{err: &out, console: &console{to: &out}, machine: true}
		stop := p.follow(t.Context(), someway())
		time.Sleep(2*lineEvery + time.Second)
		stop()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines: %s", len(lines), out.String())
		}
		got := decodeLine(t, lines[1])
		for name, want := range map[string]any{
			"msg": "progress", "verb": "backfill", "share": 0.5, "windows": 720.0, "windows_total": 1440.0, "orders": 2000.0, "items": 5000.0,
			"orders_per_second": 100.0, "orders_per_second_limit": 120.0, "eta_seconds": 20.0,
		} {
			if got[name] != want {
				t.Errorf("%s is %v and not %v in %s", name, got[name], want, lines[1])
			}
		}
		if _, err := time.Parse(time.RFC3339, got["ends_at"].(string)); err != nil {
			t.Error(err)
		}
	})
}

func decodeLine(t *testing.T, line string) map[string]any {
	t.Helper()
	v := map[string]any{}
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return v
}

// A task that stands still says no rate, and its end does not come nearer and nearer for ever.
func TestRateForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	var p pace
	p.begin(now)
	n := int64(0)
	for s := range 60 {
		if s < 30 {
			n += 100
		}
		now = now.Add(time.Second)
		p.see(now, state{counts: []counted{{n, "calls"}}})
	}
	if got := p.rate(now, counted{n, "calls"}); got != 0 {
		t.Errorf("half a minute after the last call: %v calls/s", got)
	}
	if got := p.rate(now, counted{5, "orders"}); got != 0 {
		t.Errorf("%v orders/s, and calls were counted", got)
	}
}

// What is written beside the bar fits, and what matters most is there longest.
func TestProgressFits(t *testing.T) {
	t.Parallel()
	w := words{share: "42%", units: "windows 360/1,440", counts: []string{"1,234,567 orders", "3,456,789 items"}, rate: "9.8 of 10 orders/s", eta: "ETA 1h5m"}
	for width := 0; width < 120; width++ {
		text := w.beside(width)
		if n := runewidth.StringWidth(text); n > width {
			t.Errorf("%d columns of %d: %q", n, width, text)
		}
		for from, part := range map[int]string{8: w.eta, 26: w.counts[0], 46: w.rate, 74: w.counts[1]} {
			if width >= from && !strings.Contains(text, part) {
				t.Errorf("no %q in %d columns: %q", part, width, text)
			}
		}
	}
}
