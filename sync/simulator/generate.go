package simulator

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	hour       = int64(3600)
	unpaidLife = 7 * 24 * time.Hour // the vendor documents that an unpaid order is cancelled after seven days
	maxLines   = 5
)

// generate makes the orders: first their times, then ids in the order of time, then what was bought.
func (a *Account) generate() {
	n := a.o.Orders
	if n <= 0 {
		return
	}
	from, to := seconds(a.o.From, a.o.To)
	if to <= from {
		panic(fmt.Sprintf("simulator: no second between From %v and To %v", a.o.From, a.o.To))
	}
	if from < 500_000_000 || to > 9_000_000_000 {
		panic(fmt.Sprintf("simulator: From %v and To %v leave no 15 digits for order ids", a.o.From, a.o.To))
	}
	times := a.generateTimes(n, from, to)
	a.orders = make([]order, n)
	ids := newRandom(a.o.Seed, 0, purposeIDs)
	for lo := 0; lo < n; {
		hi := lo + 1
		for hi < n && times[hi] == times[lo] {
			hi++
		}
		id := idBase(times[lo])
		gap := idGap(hi - lo)
		for i := lo; i < hi; i++ {
			a.orders[i].create = times[i]
			id += minGap + int64(ids.n(gap))
			a.orders[i].id = id
		}
		lo = hi
	}
	s := newRandom(a.o.Seed, 0, purposeOrders)
	unpaidSince := a.o.To.Add(-unpaidLife).Unix()
	for i := range a.orders {
		a.generateOrder(&a.orders[i], &s, a.orders[:i], a.orders[i].create >= unpaidSince)
		a.orders[i].payBy(to)
	}
}

// Order ids are 15 decimal digits and grow with time, as the vendor's do: a base, 100,000 ids a second, and gaps in
// them. The first minGap ids after an order belong to its line items.
const (
	idEpoch      = 1_420_070_400 // 2015-01-01
	idsPerSecond = 100_000
	minGap       = maxLines + 2
)

func idBase(t int64) int64 { return 200_000_000_000_000 + (t-idEpoch)*idsPerSecond }

// idGap is how far apart n ids of one second may be, on top of minGap.
func idGap(n int) int {
	gap := min(900, idsPerSecond/n-minGap)
	if gap < 1 {
		panic(fmt.Sprintf("simulator: %d orders in one second; widen From and To", n))
	}
	return gap
}

// generateTimes returns n sorted creation times in [from, to): busy on weekdays by day (China), quiet at night, some hours
// with nothing at all, one very busy hour, several orders exactly on the hour and several in the same second.
func (a *Account) generateTimes(n int, from, to int64) []int64 {
	s := newRandom(a.o.Seed, 0, purposeTimes)
	first, hours := from/hour, int((to-1)/hour-from/hour)+1
	clip := func(h int) (int64, int64) {
		start := (first + int64(h)) * hour
		return max(start, from), min(start+hour, to)
	}

	// The busy hour is the busiest by weight among a few, so that it is by day and not clipped.
	cumulated := make([]float64, hours)
	sum, busiest, weight := 0.0, 0, 0.0
	for h := range hours {
		lo, hi := clip(h)
		w := hourWeight(a.o.Seed, first+int64(h), hours) * float64(hi-lo)
		sum += w
		cumulated[h] = sum
		if pick := newRandom(a.o.Seed, uint64(first)+uint64(h), purposeTimes); w > 0 && w*float64(1+pick.n(1000)) > weight {
			busiest, weight = h, w*float64(1+pick.n(1000))
		}
	}
	if sum == 0 { // a range inside a quiet hour
		for h := range hours {
			lo, hi := clip(h)
			sum += float64(hi - lo)
			cumulated[h] = sum
		}
	}
	busy := a.o.BusyHour
	if busy == 0 {
		busy = min(n/20, 400)
	}
	busy = max(0, min(busy, n))

	times := make([]int64, n)
	for i := range times {
		h := busiest
		if i >= busy {
			x := float64(s.next()>>11) / (1 << 53) * sum
			h, _ = slices.BinarySearch(cumulated, math.Nextafter(x, math.Inf(1)))
			h = min(h, hours-1)
		}
		lo, hi := clip(h)
		times[i] = s.between(lo, hi-1)
		// On the edge of an hour: about one in eighty, and the first few of even a small account.
		if start := times[i] / hour * hour; start >= from && (i%83 == 0 || n >= 20 && i%5 == 0 && i < 20) {
			times[i] = start
		} else if i > busy && i%61 == 0 {
			times[i] = times[i-1]
		}
	}
	slices.Sort(times)
	return times
}

// hourWeight is how many orders an hour attracts.
func hourWeight(seed uint64, h int64, hours int) float64 {
	local := h + 8 // China
	hourOfDay := local % 24
	weekday := (local/24 + 4) % 7 // 1970-01-01 was a Thursday; 0 is Sunday
	s := newRandom(seed, uint64(h), purposeHours)
	quiet := 4
	if hourOfDay < 6 {
		quiet = 30
	}
	if hours >= 6 && s.percent(quiet) {
		return 0
	}
	w := [24]float64{2, 1, 1, 1, 1, 1, 2, 4, 9, 16, 18, 17, 10, 13, 18, 19, 18, 15, 9, 8, 8, 7, 5, 3}[hourOfDay]
	if weekday == 0 || weekday == 6 {
		w *= 0.35
	}
	return w * (0.7 + 0.6*float64(s.n(1000))/1000)
}

// generateOrder decides what an order is. Its id and creation time are set; earlier are the orders that it may refer to.
func (a *Account) generateOrder(o *order, s *random, earlier []order, mayBeUnpaid bool) {
	o.product = pickProduct(s)
	if a.vendor == domain {
		o.product = domainProduct
	}
	o.asset = uint32(s.next())
	p := &catalog[o.product]
	o.postpaid = a.vendor != domain && (p.prepaid == "" || p.postpaid != "" && s.percent(45))
	switch n := s.n(100); {
	case n < 65:
		o.lines = 1
	case n < 85:
		o.lines = 2
	case n < 93:
		o.lines = 3
	case n < 97:
		o.lines = 4
	default:
		o.lines = maxLines
	}
	if !o.postpaid {
		o.term = [8]uint8{1, 1, 1, 3, 6, 12, 12, 36}[s.n(8)]
		if o.product == domainProduct {
			o.term = max(o.term, 12)
		}
	}
	var from *order
	if kind := pickKind(s); a.vendor.sells(kind) {
		if from = pickEarlier(s, earlier, kind, o.create); from != nil {
			o.follow(from, kind)
		}
	}
	o.payDelay = -1
	fate := s.n(100)
	delay := int32(s.between(5, 1800))
	switch {
	case o.kind == kindRefund:
		o.status = statusNone
		o.payDelay = delay
	case o.postpaid:
		o.status, o.payDelay = statusPaid, 0 // a captured response shows it paid in the second of its creation
	case fate < 8 && mayBeUnpaid:
		o.status = statusUnpaid
	case fate < 12:
		o.status = statusCancelled
	default:
		o.status, o.payDelay = statusPaid, delay
	}
	if from != nil && o.renews() && o.status != statusCancelled {
		from.extended = true
	}
}

// payBy moves the payment to a moment, if it was after that: nothing was paid in the future.
func (o *order) payBy(moment int64) {
	if o.payDelay > 0 {
		o.payDelay = int32(max(0, min(int64(o.payDelay), moment-o.create)))
	}
}

// follow makes o an order about what an earlier one bought: the same lines, instances and prices.
func (o *order) follow(from *order, kind uint8) {
	o.kind, o.related = kind, from.id
	o.product, o.asset, o.postpaid, o.term = from.product, from.asset, from.postpaid, from.term
	o.lines, o.dropped = from.lines, from.dropped
	_, end := from.period()
	if !o.postpaid {
		o.starts = int32(end - o.create)
	}
	if kind == kindRefund {
		o.part = from.refundable(o.create)
		from.part = o.part
	}
}

// renews reports whether an order makes the service of another longer.
func (o *order) renews() bool { return o.kind == kindRenew || o.kind == kindCompensatoryRenew }

// refundable is the percentage of an order that its buyer gets back: all of it for five days, as the vendor has it, then what is
// left of its service. It is 0 where that is little, and for what cannot be given back.
func (o *order) refundable(at int64) uint8 {
	const cooling, least = 5 * 24 * hour, 10
	if o.postpaid || o.extended || o.part != 0 || o.kind != kindNew && o.kind != kindRenew {
		return 0
	}
	paid, _ := o.paidAt()
	start, end := o.period()
	if at < paid+cooling || at < start {
		return 100
	}
	left := 100 * (end - at) / (end - start)
	if left < least {
		return 0
	}
	return uint8(left)
}

func pickKind(s *random) uint8 {
	switch n := s.n(100); {
	case n < 68:
		return kindNew
	case n < 82:
		return kindRenew
	case n < 88:
		return kindUpgrade
	case n < 90:
		return kindDowngrade
	case n < 92:
		return kindConvert
	case n < 97:
		return kindRefund
	default:
		return uint8(kindTempUpgrade + s.n(3))
	}
}

// pickEarlier finds a paid order to refer to, which the buyer still uses: for a renewal, of some the one that ends first.
func pickEarlier(s *random, earlier []order, kind uint8, at int64) (found *order) {
	n := len(earlier)
	if n == 0 || kind == kindNew {
		return nil
	}
	renews := kind == kindRenew || kind == kindCompensatoryRenew
	for range 16 {
		e := &earlier[n-1-s.n(min(n, 50_000))]
		if paid, _ := e.paidAt(); e.status != statusPaid || paid > at {
			continue
		}
		_, end := e.period()
		switch {
		case kind == kindRefund:
			if e.refundable(at) == 0 {
				continue
			}
		case e.part != 0 || end <= at || renews && (e.postpaid || e.extended):
			continue
		}
		if !renews {
			return e
		}
		if found == nil {
			found = e
		} else if _, first := found.period(); end < first {
			found = e
		}
	}
	return found
}
