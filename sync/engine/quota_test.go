package engine

import (
	"testing"
	"time"
)

// Owners wait for the list quota only where it is used: not where calls take long, nor without a quota.
func TestQuotaUsed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		calls int64
		took  time.Duration
		quota float64
		want  bool
	}{
		{2700, 270 * time.Second, 10, true},
		{2400, 270 * time.Second, 10, true},
		{1300, 270 * time.Second, 10, false}, // a vendor that takes four seconds to answer
		{0, time.Second, 10, false},
		{2700, 270 * time.Second, 0, false},
	} {
		if got := quotaUsed(c.calls, c.took, c.quota); got != c.want {
			t.Errorf("%d calls in %s of %g a second: %v", c.calls, c.took, c.quota, got)
		}
	}
}
