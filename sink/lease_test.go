package sink_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ordersync/ordersync/sink"
)

// claim claims accounts and gives who leads them.
func claim(t *testing.T, s *sink.Sink, holder string, accounts ...string) map[string]string {
	t.Helper()
	leases, err := s.ClaimLeases(t.Context(), holder, holder+"'s host", accounts)
	if err != nil {
		t.Fatal(err)
	}
	return leaders(leases)
}

func leaders(leases map[string]sink.Lease) map[string]string {
	out := map[string]string{}
	for account, l := range leases {
		out[account] = l.Holder
	}
	return out
}

func TestTheOldestLiveClaimLeads(t *testing.T) {
	t.Parallel()
	s := open(t)
	equal(t, claim(t, s, "first", "a", "b"), map[string]string{"a": "first", "b": "first"})
	equal(t, claim(t, s, "another", "b", "c"), map[string]string{"a": "first", "b": "first", "c": "another"})
	equal(t, claim(t, s, "first", "a", "b"), map[string]string{"a": "first", "b": "first", "c": "another"})
	// Given back, the next one has it, and who gave it back is last in the line.
	if err := s.ReleaseLeases(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	leases, err := s.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, leaders(leases), map[string]string{"b": "another", "c": "another"})
	equal(t, claim(t, s, "first", "a", "b"), map[string]string{"a": "first", "b": "another", "c": "another"})
	if l := leases["b"]; l.Process != "another's host" || l.Since.IsZero() {
		t.Errorf("%+v", l)
	}
}

// A claim that is not renewed in time is dead, and does not come to life again at its old place.
func TestAClaimDies(t *testing.T) {
	t.Parallel()
	s := open(t)
	claim(t, s, "slept", "a")
	claim(t, s, "awake", "a")
	// A minute passes for the one that sleeps.
	exec(t, s.Conn(), "CREATE TABLE later AS sync_leases")
	exec(t, s.Conn(), `INSERT INTO later SELECT * REPLACE (if(holder = 'slept', renewed_at - 60, renewed_at) AS renewed_at) FROM sync_leases`)
	exec(t, s.Conn(), "EXCHANGE TABLES later AND sync_leases")
	equal(t, claim(t, s, "awake", "a"), map[string]string{"a": "awake"})
	equal(t, claim(t, s, "slept", "a"), map[string]string{"a": "awake"})
}

// However many claim at once, they agree on one as soon as all have claimed.
func TestClaimsAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	holders := make([]string, 8)
	var all sync.WaitGroup
	for i := range holders {
		holders[i] = fmt.Sprint("holder ", i)
		all.Go(func() {
			if _, err := s.ClaimLeases(t.Context(), holders[i], "", []string{"a"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	led := map[string]bool{}
	for _, h := range holders {
		led[claim(t, s, h, "a")["a"]] = true
	}
	if len(led) != 1 || led[""] {
		t.Errorf("they follow %v", led)
	}
}
