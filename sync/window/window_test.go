package window

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestAlign(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("UTC+8", 8*3600)
	for _, c := range []struct {
		from, to   time.Time
		start, end time.Time
	}{
		{noon, noon.Add(time.Hour), noon, noon.Add(time.Hour)},
		{noon.Add(time.Minute), noon.Add(61 * time.Minute), noon, noon.Add(2 * time.Hour)},
		{noon.In(zone), noon.Add(time.Second).In(zone), noon, noon.Add(time.Hour)},
		{noon, noon, noon, noon},
	} {
		got := Interval{c.from, c.to}.Align(time.Hour)
		if !got.Start.Equal(c.start) || !got.End.Equal(c.end) || got.Start.Location() != time.UTC {
			t.Errorf("%s aligned is %s", Interval{c.from, c.to}, got)
		}
	}
}

// tiles fails unless the pieces lie side by side from the start of iv to its end.
func tiles(t *testing.T, iv Interval, pieces []Interval) {
	t.Helper()
	at := iv.Start
	for _, p := range pieces {
		if !p.Start.Equal(at) || p.Empty() {
			t.Fatalf("%s is cut into %v", iv, pieces)
		}
		at = p.End
	}
	if !at.Equal(iv.End) {
		t.Fatalf("%s is cut into %v", iv, pieces)
	}
}

func FuzzWindowsTileTime(f *testing.F) {
	f.Add(int64(1_700_000_000), int64(100_000), uint8(0))
	f.Add(int64(-10), int64(86_400), uint8(3))
	f.Fuzz(func(t *testing.T, from, length int64, pick uint8) {
		sizes := []time.Duration{time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}
		size := sizes[int(pick)%len(sizes)]
		start := time.Unix(from%4_000_000_000, 0)
		iv := Interval{start, start.Add(time.Duration(max(length, -length)%10_000_000+1) * time.Second)}.Align(size)
		windows := iv.Tile(size)
		tiles(t, iv, windows)
		tiles(t, iv, Ranges(windows))
		for _, s := range Ranges(windows) {
			if s.End.Sub(s.Start) > 24*time.Hour || s.Start.Month() != s.End.Add(-1).Month() {
				t.Fatalf("range %s", s)
			}
			var cut func(Interval)
			cut = func(i Interval) {
				a, b, ok := i.Halve(size)
				if !ok {
					if i.End.Sub(i.Start) > time.Second {
						t.Fatalf("%s was not halved", i)
					}
					return
				}
				tiles(t, i, []Interval{a, b})
				if i.End.Sub(i.Start) > size && (a.End.Truncate(size) != a.End) {
					t.Fatalf("%s was halved inside a window", i)
				}
				if i.End.Sub(i.Start) > size/2 { // deep enough
					cut(a)
					cut(b)
				}
			}
			cut(s)
		}
	})
}

func TestHalveStopsAtOneSecond(t *testing.T) {
	t.Parallel()
	if _, _, ok := (Interval{noon, noon.Add(time.Second)}).Halve(time.Hour); ok {
		t.Error("one second was halved")
	}
	a, b, ok := Interval{noon, noon.Add(3 * time.Second)}.Halve(time.Hour)
	if !ok || a.End != noon.Add(time.Second) || b.End != noon.Add(3*time.Second) {
		t.Errorf("%s %s %v", a, b, ok)
	}
}

func TestHalveLeavesNoPartOfAWindow(t *testing.T) {
	t.Parallel()
	a, b, ok := Interval{noon, noon.Add(100 * time.Minute)}.Halve(time.Hour)
	if !ok || a.End != noon.Add(time.Hour) || b.End != noon.Add(100*time.Minute) {
		t.Errorf("%s %s %v", a, b, ok)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	ledger := []schema.Window{
		{Start: at(3), End: at(4), Verdict: schema.Failed},
		{Start: at(0), End: at(1), Verdict: schema.Complete},
		{Start: at(1), End: at(2), Verdict: schema.Short},
		{Start: at(4), End: at(5), Verdict: schema.Open},
		{Start: at(5), End: at(6), Verdict: schema.Complete},
	}
	got := Missing(Interval{at(0), at(7)}, time.Hour, ledger, map[int64]bool{at(5).Unix(): true})
	want := []Interval{{at(1), at(2)}, {at(2), at(3)}, {at(3), at(4)}, {at(4), at(5)}, {at(5), at(6)}, {at(6), at(7)}}
	if !slices.Equal(got, want) {
		t.Errorf("missing: %v", got)
	}
	if ranges := Ranges(got); len(ranges) != 1 || !ranges[0].End.Equal(at(7)) {
		t.Errorf("ranges: %v", ranges)
	}
}

func TestRetryAtGrowsToADay(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[uint32]time.Duration{
		0: 5 * time.Minute, 1: 5 * time.Minute, 2: 10 * time.Minute, 5: 80 * time.Minute, 10: 24 * time.Hour, 4_000_000_000: 24 * time.Hour,
	} {
		if got := RetryAt(noon, attempts).Sub(noon); got != want {
			t.Errorf("after %d attempts: %s", attempts, got)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for at, good := range map[time.Time]bool{
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC): false,
		{}:                                       false,
		Earliest.Add(-1):                         false,
		Earliest:                                 true,
		noon.Add(time.Minute):                    true,
		noon.Add(time.Hour):                      true, // the end of the hour that is open
		noon.Add(time.Hour + 1):                  false,
		time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC): false,
	} {
		if err := Check(at, noon.Add(time.Minute)); (err == nil) != good {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestSetCoversWhatWasAdded(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s Set
		var in [48]bool
		at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
		for range 12 {
			from := rnd.IntN(47)
			to := from + 1 + rnd.IntN(min(6, 48-from))
			s.Add(Interval{at(from), at(to)})
			for h := from; h < to; h++ {
				in[h] = true
			}
			for i := 1; i < len(s); i++ {
				if !s[i-1].End.Before(s[i].Start) {
					t.Fatalf("not sorted, or they meet: %v", s)
				}
			}
			for h := range 48 {
				if s.Covers(Interval{at(h), at(h + 1)}) != in[h] {
					t.Fatalf("hour %d of %v", h, s)
				}
			}
		}
	}
}
