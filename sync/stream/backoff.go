package stream

import (
	"sync"
	"time"

	"github.com/ordersync/ordersync/sync/window"
)

// backoff remembers the orders that a listing shows as moved on while their detail still says unpaid, so that a vendor who
// contradicts himself costs one call a day and not one a scheduled run.
type backoff struct {
	mu     sync.Mutex
	orders map[string]retry
}

type retry struct {
	tries uint32
	next  time.Time
}

func (s *backoff) due(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.orders[key].next.After(now)
}

func (s *backoff) note(key string, now time.Time, unmoved bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !unmoved {
		delete(s.orders, key)
		return
	}
	if s.orders == nil {
		s.orders = map[string]retry{}
	}
	tries := s.orders[key].tries + 1
	s.orders[key] = retry{tries, window.RetryAt(now, tries)}
}
