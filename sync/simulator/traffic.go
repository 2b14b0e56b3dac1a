package simulator

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Quota is how many calls a second the vendor allows for each API, over any sliding second; 0 is no limit. Half a call
// a second is one in any two seconds.
//
// The vendor documents 10 calls a second for QueryOrders, and that all users of an account share them. A refused call
// does not count against the quota: that is unconfirmed.
type Quota struct {
	List   float64 // listings: QueryOrders, GetOrders
	Detail float64 // details: GetOrderDetail, OrderDetail, QueryOrder
	Cancel float64 // CancelOrder; 0 is what the vendor documents, 4 a second, and negative is no limit
	Other  float64 // everything else: QueryProductList
}

func (q Quota) list() float64   { return q.List }
func (q Quota) detail() float64 { return q.Detail }
func (q Quota) other() float64  { return q.Other }

func (q Quota) cancel() float64 {
	if q.Cancel == 0 {
		return 4
	}
	return q.Cancel
}

// Calls is what happened to the calls of one API. Total counts the calls that were signed correctly; each of them is in
// one of OK, Throttled and Failed.
type Calls struct {
	Total     int
	OK        int // answered with a success, even if a fault altered it
	Throttled int // refused with a throttling code, by the quota or by a fault
	Failed    int // refused for another reason, or broken by a fault
	Faulted   int // how many of the calls a fault touched
	// MaxPerSecond is the highest number of calls that arrived within any sliding second, refused ones included.
	MaxPerSecond int
}

// traffic counts an account's calls and applies its quota. The vendor's bucket is account and API, and so is ours.
type traffic struct {
	mu    sync.Mutex
	quota Quota
	apis  map[string]*apiTraffic
}

type apiTraffic struct {
	calls    Calls
	arrived  window // all calls of the last second
	accepted window // those that the quota let through
}

// Calls is a snapshot of the counters by API name.
func (a *Account) Calls() map[string]Calls {
	t := &a.traffic
	t.mu.Lock()
	defer t.mu.Unlock()
	c := make(map[string]Calls, len(t.apis))
	for name, api := range t.apis {
		c[name] = api.calls
	}
	return c
}

// DetailCalls is how many details of an order were answered, whether in full or altered by a fault.
func (a *Account) DetailCalls(id string) int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if o := a.find(id); o != nil {
		return int(atomic.LoadUint32(&o.calls))
	}
	return 0
}

// ResetCounters starts Calls and DetailCalls again at zero. The quota remembers the last second all the same.
func (a *Account) ResetCounters() {
	a.traffic.mu.Lock()
	for _, api := range a.traffic.apis {
		api.calls = Calls{}
		api.arrived = nil
	}
	a.traffic.mu.Unlock()
	a.mu.RLock()
	defer a.mu.RUnlock()
	for i := range a.orders {
		atomic.StoreUint32(&a.orders[i].calls, 0)
	}
}

// SetQuota changes the quota from now on.
func (a *Account) SetQuota(q Quota) {
	a.traffic.mu.Lock()
	defer a.traffic.mu.Unlock()
	a.traffic.quota = q
}

// admission is the quota's decision about one call.
type admission struct {
	number  int // of the call, from 1, by API
	refused bool
	limit   float64
	retry   time.Duration // when a call would be accepted again
}

// admit counts a call and decides about it. The clock is read inside, so that arrivals are in the order of time.
func (t *traffic) admit(op *operation, now func() time.Time) admission {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.apis[op.action]
	if s == nil {
		if t.apis == nil {
			t.apis = map[string]*apiTraffic{}
		}
		s = &apiTraffic{}
		t.apis[op.action] = s
	}
	at := now().UnixNano()
	s.calls.Total++
	s.arrived.forget(at - int64(time.Second))
	s.arrived = append(s.arrived, at)
	s.calls.MaxPerSecond = max(s.calls.MaxPerSecond, len(s.arrived))
	d := admission{number: s.calls.Total, limit: op.quota(t.quota)}
	if d.limit <= 0 {
		return d
	}
	// A fraction becomes whole calls in a longer interval: 2.5 a second is 3 in any 1.2 s.
	most := int(math.Ceil(d.limit))
	interval := int64(float64(most) / d.limit * float64(time.Second))
	s.accepted.forget(at - interval)
	if n := len(s.accepted); n >= most {
		d.refused = true
		d.retry = time.Duration(s.accepted[n-most] + interval - at)
		return d
	}
	s.accepted = append(s.accepted, at)
	return d
}

// done counts a call's end.
func (t *traffic) done(op *operation, result outcome, faulted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.apis[op.action].calls
	switch result {
	case outcomeOK:
		c.OK++
	case outcomeThrottled:
		c.Throttled++
	default:
		c.Failed++
	}
	if faulted {
		c.Faulted++
	}
}

type outcome int

const (
	outcomeFailed outcome = iota
	outcomeOK
	outcomeThrottled
)

// window is the times of an interval, the oldest first.
type window []int64

// forget drops the times up to and including t.
func (w *window) forget(t int64) {
	i, _ := slices.BinarySearch(*w, t+1)
	*w = (*w)[i:]
}
