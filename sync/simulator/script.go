package simulator

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Rule says how often a kind of fault happens, and to whom. All that is set must fit; the zero value of everything but
// Kind means always.
type Rule struct {
	Kind string // a name from Kinds
	// Probability is how many calls meet the fault; for kinds that are about orders, hours or accounts, how many of
	// these. What is about an order stays with it as long as the rule is on, so that no retry helps.
	Probability float64

	API      string    // "QueryOrders"
	Orders   []string  // only these; of calls, only their details
	From, To time.Time // only listings of something in [From, To)
	// First and Last are calls of an API by number, from 1.
	First, Last int

	// The rest is only for kinds that are about calls.

	Every    int // instead of Probability: every so many calls of an API
	Page     int // only this page of a listing
	Attempts int // only the first so many times that the same question is asked
	Most     int // so many times in all; which of several calls at a time that is, depends on their order
}

// Loss is a fault that no retry heals while its rule is on, so that whoever reads the account must show it.
type Loss struct {
	Kind    string
	OwnerID string
	OrderID string    // empty where an hour or a second of it is lost
	At      time.Time // the first second that is lost; zero where an order is lost
	// Sent is what was last sent instead of the order's row or line, byte by byte.
	Sent string
}

// Script injects faults into the calls of an account: its method Fault is the hook. Every decision is a function of the
// seed and of what is decided about — the question and how often it was asked, the order, the hour, or the number of the
// call — and never of the order in which calls arrive, so that a seed that found something finds it again.
//
// At most one fault about a call happens to it. Faults about orders, hours and accounts come on top, except where the
// fault about the call leaves no answer for them to alter.
type Script struct {
	seed  uint64
	rules []*rule

	mu       sync.Mutex
	asked    map[uint64]int // how often, by question
	injected map[string]int
	losses   map[Loss]string // what was sent, by the rest of the loss
}

// rule is a Rule at work.
type rule struct {
	Rule
	kind   *Kind
	seed   uint64
	orders map[string]bool
	on     atomic.Bool
	fired  int // guarded by the script's mu
}

// NewScript makes a script, switched on. It panics where a rule makes no sense: that is a mistake in a test.
func NewScript(seed uint64, mix ...Rule) *Script {
	s := &Script{seed: seed, asked: map[uint64]int{}, injected: map[string]int{}, losses: map[Loss]string{}}
	twins := map[string]uint64{}
	for _, r := range mix {
		if err := r.validate(); err != nil {
			panic("simulator: " + err.Error())
		}
		// A rule's decisions depend on its own kind alone, so that they stay when others leave the mix.
		own := newRandom(seed, xxhash.Sum64String(r.Kind)+twins[r.Kind], purposeFault)
		twins[r.Kind]++
		n := &rule{Rule: r, kind: findKind(r.Kind), seed: own.next(), orders: map[string]bool{}}
		if n.Probability == 0 {
			n.Probability = 1
		}
		for _, id := range r.Orders {
			n.orders[id] = true
		}
		n.on.Store(true)
		s.rules = append(s.rules, n)
	}
	return s
}

func (r *Rule) validate() error {
	k := findKind(r.Kind)
	switch {
	case k == nil:
		return fmt.Errorf("no fault is called %q; there are %s", r.Kind, allKinds())
	case !(r.Probability >= 0 && r.Probability <= 1):
		return fmt.Errorf("fault %s: %v is not a probability from 0 to 1", r.Kind, r.Probability)
	case k.scope != perCall && (r.Every != 0 || r.Page != 0 || r.Attempts != 0 || r.Most != 0):
		return fmt.Errorf("fault %s: Every, Page, Attempts and Most do not go with a fault about orders, hours or accounts", r.Kind)
	case min(r.Every, r.Page, r.Attempts, r.Most, r.First, r.Last) < 0:
		return errors.New("fault " + r.Kind + ": a negative number")
	case len(r.Orders) > 0 && k.scope == perHour:
		return errors.New("fault " + r.Kind + ": Orders do not go with hours")
	}
	return nil
}

// On switches rules on, by their kinds; without any, all of them.
func (s *Script) On(kinds ...string) { s.turn(true, kinds) }

// Off switches rules off, by their kinds; without any, all of them. Calls that have begun end as they would have.
func (s *Script) Off(kinds ...string) { s.turn(false, kinds) }

func (s *Script) turn(on bool, kinds []string) {
	for _, k := range kinds {
		if !slices.ContainsFunc(s.rules, func(r *rule) bool { return r.Kind == k }) {
			panic("simulator: no rule of the script has the kind " + k)
		}
	}
	for _, r := range s.rules {
		if len(kinds) == 0 || slices.Contains(kinds, r.Kind) {
			r.on.Store(on)
		}
	}
}

// Injected counts the faults that happened, by kind: calls, or rows and lines where the kind is about these.
func (s *Script) Injected() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.injected)
}

// Losses lists, without repetition, what a reader of the account could not get, since the script was made. A loss is
// noted when its answer is made, even if the client did not wait for it.
func (s *Script) Losses() []Loss {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Loss, 0, len(s.losses))
	for l, sent := range s.losses {
		l.Sent = sent
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Loss) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.OwnerID, b.OwnerID),
			strings.Compare(a.OrderID, b.OrderID), a.At.Compare(b.At))
	})
	return all
}

// maxAsked bounds what a long-lived script remembers of questions; then it starts to count anew.
const maxAsked = 1 << 20

// Fault is the hook for Account.SetFault.
func (s *Script) Fault(q FaultRequest) Action {
	s.mu.Lock()
	defer s.mu.Unlock()
	question := q.hash()
	if len(s.asked) >= maxAsked {
		clear(s.asked)
	}
	s.asked[question]++

	var alter []*rule
	var limit Action // how the account caps its pages
	phantoms := 0
	for _, r := range s.rules {
		if r.kind.scope == perCall || !r.meets(&q) {
			continue
		}
		switch {
		case r.kind.alter != nil:
			alter = append(alter, r)
		case r.kind.scope == perHour:
			hours := r.hours(&q)
			for _, at := range hours {
				s.losses[Loss{Kind: r.Kind, OwnerID: q.OwnerID, At: at}] = ""
			}
			if len(hours) == 0 {
				continue
			}
			s.injected[r.Kind]++
			if r.kind.act != nil {
				return r.kind.act(new(random), &q)
			}
			phantoms += len(hours)
		case r.kind.scope == perAccount:
			d := r.draw(xxhash.Sum64String(q.Account))
			if d == 0 {
				continue
			}
			if a := r.kind.act(&d, &q); a.PageSize > 0 && (limit.PageSize == 0 || a.PageSize < limit.PageSize) {
				s.injected[r.Kind]++
				limit = a
			}
		default:
			if d := r.draw(orderHash(&q, q.OrderID)); d != 0 && r.names(q.OrderID) {
				s.injected[r.Kind]++
				s.losses[Loss{Kind: r.Kind, OwnerID: q.OwnerID, OrderID: q.OrderID}] = ""
				return r.kind.act(&d, &q)
			}
		}
	}
	act := s.once(&q, question, phantoms > 0)
	if act.leavesNothing() {
		return act
	}
	act.PageSize, act.PageSizeHidden = limit.PageSize, limit.PageSizeHidden
	if phantoms > 0 {
		act.Total = func(n int) int { return n + phantoms }
	}
	if len(alter) > 0 {
		act.Row = func(id string, n int, row []byte) []byte { return s.alter(&q, alter, id, n, row) }
	}
	return act
}

// once finds the fault about the call itself. Where an hour is counted wrongly, the page is left as it is: two wrongs
// could make a right. The caller holds mu.
func (s *Script) once(q *FaultRequest, question uint64, miscounted bool) Action {
	attempt := s.asked[question]
	for _, r := range s.rules {
		if r.kind.scope != perCall || !r.meets(q) || !r.names(q.OrderID) {
			continue
		}
		if r.Page > 0 && q.Page != r.Page || r.Attempts > 0 && attempt > r.Attempts || r.Most > 0 && r.fired >= r.Most {
			continue
		}
		d := newRandom(r.seed, question+uint64(attempt), purposeFaultForm)
		if r.Every > 0 {
			if q.Number%r.Every != 0 {
				continue
			}
		} else if d = r.draw(question + uint64(attempt)<<32); d == 0 {
			continue
		}
		act := r.kind.act(&d, q)
		if miscounted && (act.Total != nil || act.Drop != nil || act.Shift != 0) {
			continue
		}
		r.fired++
		s.injected[r.Kind]++
		return act
	}
	return Action{}
}

// leavesNothing reports whether the answer has no rows that could be altered and would still be read.
func (f *Action) leavesNothing() bool {
	return f.Hang || f.Error != nil || f.Status != 0 || f.Rewrite != nil || f.Truncate > 0 || f.Reset
}

// alter passes a row or line through the rules that are about its order.
func (s *Script) alter(q *FaultRequest, rules []*rule, id string, n int, row []byte) []byte {
	var done []*rule
	for _, r := range rules {
		if !r.names(id) {
			continue
		}
		if d := r.draw(orderHash(q, id)); d != 0 {
			if altered := r.kind.alter(&d, n, rawRow{row, q.names()}); altered.json != nil {
				row = altered.json
				done = append(done, r)
			}
		}
	}
	if len(done) == 0 {
		return row
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range done {
		s.injected[r.Kind]++
		if r.kind.loses {
			s.losses[Loss{Kind: r.Kind, OwnerID: q.OwnerID, OrderID: id}] = string(row)
		}
	}
	return row
}

// meets reports whether a call may meet the rule at all.
func (r *rule) meets(q *FaultRequest) bool {
	if !r.on.Load() || r.kind.side&q.side() == 0 || r.API != "" && r.API != q.API {
		return false
	}
	if q.Number < r.First || r.Last > 0 && q.Number > r.Last {
		return false
	}
	if r.From.IsZero() && r.To.IsZero() {
		return true
	}
	return q.side() == listings && !q.End.Before(r.From) && (r.To.IsZero() || q.Start.Before(r.To))
}

// names reports whether an order is one of those that the rule names.
func (r *rule) names(id string) bool { return len(r.orders) == 0 || r.orders[id] }

// draw decides about one thing. It returns the numbers that decide what exactly happens to it, or zero for nothing.
func (r *rule) draw(thing uint64) random {
	s := newRandom(r.seed, thing, purposeFault)
	if float64(s.next()>>11)/(1<<53) >= r.Probability {
		return 0
	}
	return s | 1 // whatever they are, not zero
}

// hours finds the hours that the rule chose and that a listing asks about, by the first second that is meant. At an hour's edges nothing happens, because
// who asks for its neighbour may ask for a little more.
func (r *rule) hours(q *FaultRequest) (chosen []time.Time) {
	const margin, most = 5, 100_000
	if q.PaymentStatus != "" {
		return nil
	}
	h := q.Start.UTC().Truncate(time.Hour)
	for range most {
		if h.After(q.End) {
			break
		}
		inRange := !h.Before(r.From) && (r.To.IsZero() || h.Before(r.To))
		if d := r.draw(uint64(h.Unix()) ^ xxhash.Sum64String(q.Account+" "+q.OwnerID)); d != 0 && inRange {
			first, last := int64(margin), hour-margin
			if r.kind.act == nil { // one second of the hour is meant, not all of it
				first = d.between(first, last)
				last = first
			}
			if q.End.Unix() >= h.Unix()+first && q.Start.Unix() <= h.Unix()+last {
				chosen = append(chosen, h.Add(time.Duration(first)*time.Second))
			}
		}
		h = h.Add(time.Hour)
	}
	return chosen
}

func orderHash(q *FaultRequest, id string) uint64 {
	return xxhash.Sum64String(q.Account + " " + q.OwnerID + " " + id)
}

// hash is the same for the same question, whenever it is asked.
func (q *FaultRequest) hash() uint64 {
	var buf [160]byte
	b := buf[:0]
	for _, s := range [...]string{q.API, q.Version, q.Account, q.OwnerID, q.OrderID, q.PaymentStatus} {
		b = append(append(b, s...), 0)
	}
	for _, n := range [...]int64{int64(q.Page), int64(q.Size), q.Start.Unix(), q.End.Unix()} {
		b = append(strconv.AppendInt(b, n, 10), 0)
	}
	return xxhash.Sum64(b)
}
