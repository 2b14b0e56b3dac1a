package sink_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// claimed is the holders of the live claims that reach into [from, to), in days after a first one.
func claimed(t *testing.T, s *sink.Sink, stream schema.Stream, from, to int) []string {
	t.Helper()
	leases, err := s.RangeLeases(t.Context(), stream, march(from), march(to))
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, l := range leases {
		out = append(out, l.Holder)
	}
	return out
}

func march(n int) time.Time { return time.Date(2026, 3, 1+n, 0, 0, 0, 0, time.UTC) }

func TestClaimsOnRanges(t *testing.T) {
	t.Parallel()
	s := open(t)
	stream := schema.Stream{Account: "a"}
	lease := func(holder string, from, to int) sink.RangeLease {
		return sink.RangeLease{Stream: stream, From: march(from), To: march(to), Holder: holder, Process: holder + "'s host"}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(s.ClaimRanges(t.Context(), []sink.RangeLease{lease("one", 0, 1), lease("one", 2, 3)}))
	do(s.ClaimRanges(t.Context(), []sink.RangeLease{lease("two", 1, 2), lease("two", 2, 4)}))
	equal(t, claimed(t, s, stream, 0, 4), []string{"one", "two", "one", "two"})
	equal(t, claimed(t, s, stream, 1, 2), []string{"two"})
	equal(t, claimed(t, s, stream, 4, 9), []string{})
	equal(t, claimed(t, s, schema.Stream{Account: "a", OwnerID: "1"}, 0, 4), []string{})
	equal(t, claimed(t, s, schema.Stream{Account: "b"}, 0, 4), []string{})
	leases, err := s.RangeLeases(t.Context(), stream, march(0), march(1))
	do(err)
	equal(t, leases, []sink.RangeLease{lease("one", 0, 1)})

	do(s.ReleaseRanges(t.Context(), []sink.RangeLease{lease("one", 2, 3)}))
	do(s.ReleaseRanges(t.Context(), nil))
	equal(t, claimed(t, s, stream, 0, 4), []string{"one", "two", "two"})
	do(s.ClaimRanges(t.Context(), []sink.RangeLease{lease("one", 2, 3)}))
	equal(t, claimed(t, s, stream, 2, 3), []string{"one", "two"})

	// A minute passes without a renewal by the one.
	exec(t, s.Conn(), "CREATE TABLE later AS sync_range_leases")
	exec(t, s.Conn(), `INSERT INTO later SELECT * REPLACE (if(holder = 'one', renewed_at - 60, renewed_at) AS renewed_at) FROM sync_range_leases FINAL`)
	exec(t, s.Conn(), "EXCHANGE TABLES later AND sync_range_leases")
	equal(t, claimed(t, s, stream, 0, 4), []string{"two", "two"})
	do(s.ClaimRanges(t.Context(), []sink.RangeLease{lease("one", 0, 1)}))
	equal(t, claimed(t, s, stream, 0, 4), []string{"one", "two", "two"})
}
