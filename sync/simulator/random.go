package simulator

import "math/bits"

// random is the splitmix64 generator: a few nanoseconds a number, good enough for generated data, and fixed for ever, so
// that a seed means the same account on every machine and with every Go version.
type random uint64

// newRandom starts the numbers for one purpose of one thing, for example the amounts of an order.
func newRandom(seed, thing, purpose uint64) random {
	s := random(seed ^ thing*0x9e3779b97f4a7c15 ^ purpose*0xd1b54a32d192ed03)
	s.next()
	return s
}

// next is the next 64 bits.
func (s *random) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// n is a number in [0, n).
func (s *random) n(n int) int {
	hi, _ := bits.Mul64(s.next(), uint64(n))
	return int(hi)
}

// between is a number in [lo, hi].
func (s *random) between(lo, hi int64) int64 {
	h, _ := bits.Mul64(s.next(), uint64(hi-lo)+1)
	return lo + int64(h)
}

// percent is true p times in a hundred.
func (s *random) percent(p int) bool { return s.n(100) < p }

// Purposes of random numbers. A new one gets a new number, so that what exists keeps its values.
const (
	purposeTimes = iota + 1
	purposeHours
	purposeIDs
	purposeOrders
	purposeForm
	purposeAmounts
	purposeItems
	purposeAsset
	purposeAdd
	purposeLatency
	purposeRequest
	purposeFault
	purposeFaultForm
	purposeChaos
	purposeLiving
	purposeProducts
	purposeUniCloud
	purposeDelivery
)
