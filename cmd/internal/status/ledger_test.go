package status_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// Whoever looks again and again sees what was written in between, what is asked for otherwise than before, and that time passes.
func TestLedgerIsReadAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	ledger(t, s, stream, today, today.Add(13*time.Hour), nil)
	expected := []status.Expected{{Stream: stream}}
	kept := new(status.Ledger)
	must := func(b []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	state := func(now time.Time) string {
		r, err := status.Diagnose(t.Context(), config.Default().Schedule, expected, s, kept, now)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := status.Diagnose(t.Context(), config.Default().Schedule, expected, s, new(status.Ledger), now)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, must(json.Marshal(r)), must(json.Marshal(fresh)))
		return fmt.Sprint(r.Accounts[0].Diagnosis.State, r.Accounts[0].Diagnosis.Cause)
	}
	equal(t, state(now), string(diagnosis.Idle))
	equal(t, state(now), string(diagnosis.Idle))
	equal(t, state(now.Add(time.Minute)), string(diagnosis.Idle))
	ledger(t, s, stream, today.Add(5*time.Hour), today.Add(6*time.Hour), func(w *schema.Window) bool {
		w.Verdict, w.Version, w.Error = schema.Short, 2, "TotalCount says 2 and 1 came"
		return true
	})
	equal(t, state(now.Add(time.Minute)), fmt.Sprint(diagnosis.Incomplete, diagnosis.Short))
	expected[0].Filters = schema.Filters{ProductCode: "rds"}
	equal(t, state(now.Add(time.Minute)), fmt.Sprint(diagnosis.Failing, diagnosis.Filters))
	expected[0].Filters = schema.Filters{}
	equal(t, state(now.Add(2*time.Minute)), fmt.Sprint(diagnosis.Incomplete, diagnosis.Short))
	equal(t, state(now.Add(20*time.Hour)), fmt.Sprint(diagnosis.Failing, diagnosis.Short)) // it is late by now
}

// BenchmarkDiagnose looks at 3,000 owners with a month of windows each: while nothing is written, and after each write.
func BenchmarkDiagnose(b *testing.B) {
	addr, database := sinktest.Database(b)
	s, err := sink.Open(b.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const owners, hours, parts = 3000, 720, 4
	var expected []status.Expected
	for n := range owners {
		expected = append(expected, status.Expected{Stream: schema.Stream{Source: "bss", Account: "main", OwnerID: fmt.Sprint(n)}, ListQuota: 10, DetailQuota: 10})
	}
	for part := range parts {
		if err := s.Conn().Exec(b.Context(), fmt.Sprintf(`INSERT INTO sync_window_rows (source, account, owner_id, window_start, window_end, verdict, stored, version,
			listing_end, finished_at, listed_at) SELECT 'bss', 'main', toString(intDiv(number, %[1]d)),
			toDateTime64('2026-10-26 13:00:00', 3, 'UTC') + toIntervalHour(modulo(number, %[1]d)) AS at, at + toIntervalHour(1), 'complete', 1, 1,
			at + toIntervalHour(2) AS end, end, end FROM numbers(%[2]d, %[3]d)`, hours, part*owners*hours/parts, owners*hours/parts)); err != nil {
			b.Fatal(err)
		}
	}
	look := func(b *testing.B, kept *status.Ledger) {
		r, err := status.Diagnose(b.Context(), config.Default().Schedule, expected, s, kept, now)
		if err != nil || len(r.Accounts) != owners {
			b.Fatalf("%v: %+v", err, r)
		}
	}
	b.Run("unchanged", func(b *testing.B) {
		kept := new(status.Ledger)
		look(b, kept)
		for b.Loop() {
			look(b, kept)
		}
	})
	b.Run("written", func(b *testing.B) {
		for b.Loop() {
			look(b, new(status.Ledger))
		}
	})
}
