package simulator

import (
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

const (
	// skew is how far a time stamp may be off the vendor's clock.
	skew = 15 * time.Minute
	// noncesKept bounds the memory: at least so many nonces are remembered, or all of the last 2*skew.
	noncesKept = 1 << 17
)

// nonces remembers which were used. Two generations make forgetting cheap: when the younger is full or old, the older
// is forgotten and they change places. A nonce is kept as its hash; that two of a quarter million collide is as likely
// as one in 10^14.
type nonces struct {
	mu           sync.Mutex
	young, older map[uint64]struct{}
	since        time.Time // start of the younger generation
}

// use reports whether the nonce is new, and remembers it.
func (n *nonces) use(keyID, nonce string, now time.Time) bool {
	h := xxhash.Sum64String(nonce) ^ xxhash.Sum64String(keyID)*0x9e3779b97f4a7c15
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.young == nil {
		n.young, n.older, n.since = map[uint64]struct{}{}, map[uint64]struct{}{}, now
	}
	if len(n.young) >= noncesKept || now.Sub(n.since) > 2*skew {
		n.young, n.older, n.since = n.older, n.young, now
		clear(n.young)
	}
	if _, used := n.young[h]; used {
		return false
	}
	if _, used := n.older[h]; used {
		return false
	}
	n.young[h] = struct{}{}
	return true
}
