package sink_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// Who only reads makes nothing, and is told what to do where there is nothing to read.
func TestOpenToRead(t *testing.T) {
	t.Parallel()
	addr, database := sinktest.Database(t)
	read := func(name string) (*sink.Sink, error) {
		return sink.OpenToRead(t.Context(), sink.Config{Addr: []string{addr}, Database: name, Username: "default"})
	}
	refused := func(name, want string) {
		t.Helper()
		s, err := read(name)
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", name)
			return
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "run `ordersync migrate`") {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused(database+"_missing", "make the database with its tables and views")
	refused(database, "make its tables and views")
	server := sinktest.Conn(t, "default")
	if n := number(t, server, "SELECT count() FROM system.tables WHERE startsWith(database, '"+database+"')"); n != 0 {
		t.Errorf("%d tables were made", n)
	}
	if n := number(t, server, "SELECT count() FROM system.databases WHERE startsWith(name, '"+database+"')"); n != 1 {
		t.Errorf("%d databases instead of 1", n)
	}

	write(t, openAt(t, addr, database), smallBatch())
	s, err := read(database)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	equal(t, number(t, s.Conn(), "SELECT count() FROM orders"), 2)

	// As an older ordersync would have left them.
	exec(t, server, "ALTER TABLE "+database+".goose_db_version DELETE WHERE version_id > 3")
	refused(database, " migrations: ")
}

func TestVerifications(t *testing.T) {
	t.Parallel()
	s := open(t)
	at := func(h int) time.Time { return day.Add(time.Duration(h) * time.Hour) }
	owner := schema.Stream{Source: "bss", Account: "main", OwnerID: "7"}
	first := sink.Verification{Stream: stream, From: at(0), To: at(24), Whole: true, Windows: 24, Calls: 1, StartedAt: at(25), FinishedAt: at(26)}
	second := sink.Verification{Stream: stream, From: at(0), To: at(48), Whole: true, Deep: true, Windows: 48, Calls: 9,
		Differences: 2, Repaired: 1, Error: "timeout", StartedAt: at(49), FinishedAt: at(50)}
	part := sink.Verification{Stream: stream, From: at(0), To: at(1), Windows: 1, StartedAt: at(60), FinishedAt: at(61)}
	other := sink.Verification{Stream: owner, From: at(0), To: at(2), Whole: true, StartedAt: at(3), FinishedAt: at(4)}
	equal(t, must[[]sink.Verification](t)(s.LastVerifications(t.Context())), nil)
	for _, v := range []sink.Verification{second, first, part, other} {
		if err := s.WriteVerification(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, must[[]sink.Verification](t)(s.LastVerifications(t.Context())), []sink.Verification{second, first, other})
	equal(t, texts(t, s.Conn(), "SELECT count(), countIf(whole = 1) FROM sync_verifications"), []string{"(4,3)"})
}

func TestFindAndCountRejects(t *testing.T) {
	t.Parallel()
	s := open(t)
	reject := func(account, id, stage string, accepted, resolved bool) schema.Reject {
		r := schema.Reject{Stream: schema.Stream{Source: "bss", Account: account}, ID: id, Stage: stage, FirstSeen: day, LastSeen: day,
			Resolved: resolved, Version: 1}
		if accepted {
			r.AcceptedAt, r.AcceptedBy, r.Note = day, "me", "gone"
		}
		return r
	}
	a := reject("main", "aa01", schema.RejectList, false, false)
	b := reject("main", "aa02", schema.RejectDetail, true, false)
	c := reject("main", "bb01", schema.RejectItem, true, false)
	d := reject("other", "aa01", schema.RejectDetail, false, true)
	e := reject("other", "aa03", schema.RejectDetail, false, false)
	before := d
	before.Resolved, before.Version = false, 0
	write(t, s, sink.Batch{Rejects: []schema.Reject{a, b, c, before, d, e}})
	find := func(account, prefix string) []schema.Reject {
		return must[[]schema.Reject](t)(s.FindAccountRejects(t.Context(), account, prefix))
	}
	equal(t, must[[]schema.Reject](t)(s.FindRejects(t.Context(), "aa")), []schema.Reject{a, b, d, e})
	equal(t, find("", "aa"), nil) // no account is called that
	equal(t, find("main", "aa"), []schema.Reject{a, b})
	equal(t, find("main", "aa02"), []schema.Reject{b})
	equal(t, find("other", ""), []schema.Reject{d, e})
	equal(t, find("main", "a_"), nil)
	equal(t, must[[]sink.RejectCount](t)(s.RejectCounts(t.Context())), []sink.RejectCount{
		{Stream: a.Stream, Open: 1, Accepted: 2, AcceptedDetails: 1},
		{Stream: e.Stream, Open: 1},
	})
}
