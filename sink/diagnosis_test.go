package sink_test

import (
	"context"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// A streak begins with the first run that ended as the newest one did, and for the same reason.
func TestStreaks(t *testing.T) {
	t.Parallel()
	s := open(t)
	var runs []sink.Run
	run := func(account string, kind sink.RunKind, minute int, state sink.RunState, text string) {
		at := day.Add(time.Duration(minute) * time.Minute)
		runs = append(runs, sink.Run{
			ID: account + string(rune('a'+minute)), Kind: kind, State: state, Accounts: []string{account}, Error: text,
			StartedAt: at, UpdatedAt: at, FinishedAt: at, ClockOffset: float64(minute), Version: 1,
		})
	}
	for i, text := range []string{"", "x: auth: 1", "", "x: auth: 2", "y: auth: 3", "y: timeout: 4"} {
		state := sink.RunFailed
		if text == "" {
			state = sink.RunOK
		}
		run("a", sink.RunTick, i, state, text)
		if i < 5 {
			run("b", sink.RunTick, i, state, text)
		}
	}
	run("b", sink.RunTick, 6, sink.RunStopped, "y: timeout: 5")
	run("b", sink.RunVerify, 7, sink.RunOK, "")
	run("c", sink.RunBackfill, 1, sink.RunOK, "")
	run("c", sink.RunBackfill, 2, sink.RunOK, "")
	if err := s.WriteRuns(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	at := func(minute int) time.Time { return day.Add(time.Duration(minute) * time.Minute) }
	equal(t, must[map[string]sink.Streak](t)(s.Streaks(t.Context(), day, "auth|timeout")), map[string]sink.Streak{
		"a": {Account: "a", Last: at(5), Failed: true, Error: "y: timeout: 4", Since: at(5), ClockOffset: 5, Ticked: at(5)},
		"b": {Account: "b", Last: at(4), Failed: true, Error: "y: auth: 3", Since: at(3), ClockOffset: 4, Ticked: at(4)},
		"c": {Account: "c", Last: at(2), Since: at(1), ClockOffset: 2},
	})
}

func TestWindowFaults(t *testing.T) {
	t.Parallel()
	s := open(t)
	var b sink.Batch
	for hour, text := range []string{"", "said 5, sent 4", "said 7, sent 3", "503 [request A]", "503 [request B]"} {
		w := schema.Window{Stream: stream, Start: day.Add(time.Duration(hour) * time.Hour), Verdict: schema.Short, Error: text, Version: uint64(hour)}
		w.End, w.FinishedAt = w.Start.Add(time.Hour), w.Start.Add(2*time.Hour)
		switch hour {
		case 0:
			w.Verdict = schema.Complete
		case 3, 4:
			w.Verdict = schema.Failed
		}
		b.Windows = append(b.Windows, w)
	}
	write(t, s, b)
	at := func(hour int) time.Time { return day.Add(time.Duration(hour) * time.Hour) }
	equal(t, must[[]sink.WindowFault](t)(s.WindowFaults(t.Context(), ` ?\[request [^\]]*\]|[0-9]+`)), []sink.WindowFault{
		{Stream: stream, Verdict: schema.Failed, Error: "503 [request B]", Windows: 2, From: at(3), To: at(5), Tried: at(6)},
		{Stream: stream, Verdict: schema.Short, Error: "said 7, sent 3", Windows: 2, From: at(1), To: at(3), Tried: at(4)},
	})
}

// Who led last is known after it is gone, and whether it was stopped or fell silent.
func TestLastLeases(t *testing.T) {
	t.Parallel()
	s := open(t)
	claim(t, s, "gone", "a", "b", "c")
	exec(t, s.Conn(), "CREATE TABLE later AS sync_leases")
	exec(t, s.Conn(), "INSERT INTO later SELECT * REPLACE (renewed_at - 60 AS renewed_at) FROM sync_leases")
	exec(t, s.Conn(), "EXCHANGE TABLES later AND sync_leases")
	claim(t, s, "stopped", "b")
	if err := s.ReleaseLeases(t.Context(), "stopped"); err != nil {
		t.Fatal(err)
	}
	claim(t, s, "lives", "c")
	claim(t, s, "waits", "c")
	got := map[string]sink.LastLease{}
	for account, l := range must[map[string]sink.LastLease](t)(s.LastLeases(t.Context())) {
		if l.Since.IsZero() || l.Renewed.IsZero() {
			t.Errorf("%+v", l)
		}
		l.Since, l.Renewed = time.Time{}, time.Time{}
		got[account] = l
	}
	lease := func(account, holder string, live, released bool) sink.LastLease {
		return sink.LastLease{Lease: sink.Lease{Account: account, Holder: holder, Process: holder + "'s host"}, Live: live, Released: released}
	}
	equal(t, got, map[string]sink.LastLease{
		"a": lease("a", "gone", false, false), "b": lease("b", "stopped", false, true), "c": lease("c", "lives", true, false),
	})
}

// Why a server takes no rows is known without writing any.
func TestRefusal(t *testing.T) {
	t.Parallel()
	if why, remedy := open(t).Refusal(t.Context()); why != "" {
		t.Errorf("who may write is refused: %s; %s", why, remedy)
	}
	sinktest.Server(t) // or the test is left out
	server, err := embedded.Open(t.Context(), embedded.Options{Dir: t.TempDir(), Database: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	login := func(name string, open func(context.Context, sink.Config) (*sink.Sink, error)) *sink.Sink {
		l := server.Login(name)
		s, err := open(t.Context(), sink.Config{Addr: []string{server.Addr()}, Database: "shop", Username: l.Username, Password: l.Password})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	login(embedded.Owner, sink.Open)
	why, remedy := login(embedded.Reader, sink.OpenToRead).Refusal(t.Context())
	equal(t, why+"; "+remedy, "the user reader may only read; set readonly = 0 in its profile")
	var granted uint8
	if err := login(embedded.Owner, sink.OpenToRead).Conn().QueryRow(t.Context(), "CHECK GRANT INSERT ON other.t").Scan(&granted); err != nil || granted != 0 {
		t.Errorf("CHECK GRANT says %d, %v", granted, err)
	}
}
