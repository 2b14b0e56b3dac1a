package simulator

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// Ten calls in any second, whatever the second: the window slides, and a refused call does not push it on.
func TestQuotaSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAccount(Options{Seed: 1, Orders: 20, Quota: Quota{List: 10}})
		s := New(a)
		list := func() *reply { return callAPI(t, s, a, "QueryOrders") }
		for i := range 10 { // at 0, 50, …, 450 ms
			if r := list(); r.Code != "Success" {
				t.Fatalf("call %d: %s", i, r.raw)
			}
			time.Sleep(50 * time.Millisecond)
		}
		r := list() // at 500 ms
		if r.Code != "Throttling.User" || r.status != http.StatusBadRequest {
			t.Fatalf("the eleventh call: %d %s", r.status, r.raw)
		}
		if h := r.header.Get("x-ratelimit-user-api"); h != "Limit:10,Remain:0,TimeLeft:500" {
			t.Errorf("header %q", h)
		}
		if callAPI(t, s, a, "GetOrderDetail", "OrderId", "1").Code != "Success" {
			t.Error("another API shares the quota")
		}
		time.Sleep(499 * time.Millisecond) // at 999 ms the first call is still in the window
		if r := list(); r.Code != "Throttling.User" || r.header.Get("x-ratelimit-user-api") != "Limit:10,Remain:0,TimeLeft:1" {
			t.Fatalf("at 999 ms: %v %s", r.header, r.raw)
		}
		time.Sleep(time.Millisecond)
		if r := list(); r.Code != "Success" { // at 1000 ms it has left
			t.Fatalf("at 1000 ms: %s", r.raw)
		}
		if r := list(); r.Code != "Throttling.User" || r.header.Get("x-ratelimit-user-api") != "Limit:10,Remain:0,TimeLeft:50" {
			t.Fatalf("one too many at 1000 ms: %v", r.header)
		}
		calls := a.Calls()["QueryOrders"]
		if calls.Total != 14 || calls.OK != 11 || calls.Throttled != 3 || calls.Failed != 0 {
			t.Errorf("%+v", calls)
		}
		if calls.MaxPerSecond != 13 { // in (0, 1000 ms]: all but the first
			t.Errorf("at most %d calls in a second, want 13", calls.MaxPerSecond)
		}
		a.ResetCounters()
		if c := a.Calls()["QueryOrders"]; c != (Calls{}) {
			t.Errorf("after the reset: %+v", c)
		}
		a.SetQuota(Quota{})
		for range 50 {
			if r := list(); r.Code != "Success" {
				t.Fatalf("without a quota: %s", r.raw)
			}
		}
		if n := a.Calls()["QueryOrders"].MaxPerSecond; n != 50 {
			t.Errorf("at most %d calls in a second, want 50", n)
		}
	})
}

// A client that waits exactly as long as it is told is never refused twice in a row.
func TestQuotaTellsHowLong(t *testing.T) {
	left := regexp.MustCompile(`TimeLeft:(\d+)`)
	for _, limit := range []float64{10, 2.5, 1, 0.5} {
		synctest.Test(t, func(t *testing.T) {
			a := NewAccount(Options{Quota: Quota{Detail: limit}})
			s := New(a)
			began := time.Now()
			accepted := 0
			for accepted < 40 {
				r := callAPI(t, s, a, "GetOrderDetail", "OrderId", "1")
				if r.Code == "Success" {
					accepted++
					continue
				}
				ms, err := strconv.Atoi(left.FindStringSubmatch(r.header.Get("X-Ratelimit-User-Api"))[1])
				if err != nil || ms == 0 {
					t.Fatalf("header %v", r.header)
				}
				time.Sleep(time.Duration(ms) * time.Millisecond)
				if r := callAPI(t, s, a, "GetOrderDetail", "OrderId", "1"); r.Code != "Success" {
					t.Fatalf("refused after waiting %d ms", ms)
				}
				accepted++
			}
			rate := float64(accepted) / time.Since(began).Seconds()
			if rate > limit*1.5 || rate < limit*0.9 {
				t.Errorf("limit %g: %g calls a second", limit, rate)
			}
		})
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAccount(Options{Seed: 3, Orders: 50, Latency: Latency{Fixed: 20 * time.Millisecond, Jitter: 30 * time.Millisecond}})
		s := New(a)
		seen := map[time.Duration]bool{}
		for _, id := range a.IDs(time.Time{}, time.Time{}) {
			var took [2]time.Duration
			for i := range took {
				began := time.Now()
				callAPI(t, s, a, "GetOrderDetail", "OrderId", id)
				took[i] = time.Since(began)
			}
			if took[0] != took[1] || took[0] < 20*time.Millisecond || took[0] > 50*time.Millisecond {
				t.Errorf("order %s took %v", id, took)
			}
			seen[took[0]] = true
		}
		if len(seen) < 40 {
			t.Errorf("only %d different latencies", len(seen))
		}
	})
}

func TestDetailCalls(t *testing.T) {
	a := testAccount(30)
	s := New(a)
	all := a.IDs(time.Time{}, time.Time{})
	for i := range 3 {
		for _, id := range all[:i] {
			callAPI(t, s, a, "GetOrderDetail", "OrderId", id)
		}
	}
	a.Add(10, day.Add(-time.Hour)) // moves every record
	for i, want := range []int{2, 1, 0} {
		if n := a.DetailCalls(all[i]); n != want {
			t.Errorf("order %d: %d calls, want %d", i, n, want)
		}
	}
	a.ResetCounters()
	if a.DetailCalls(all[0]) != 0 || a.DetailCalls("nothing") != 0 {
		t.Error("counters were not reset")
	}
}
