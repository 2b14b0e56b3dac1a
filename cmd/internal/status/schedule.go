package status

import (
	"time"

	"github.com/robfig/cron/v3"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// schedule is what the configuration says about time, as of a moment.
type schedule struct {
	config.Schedule
	next  time.Time     // the next scheduled run
	every time.Duration // between two scheduled runs
}

func newSchedule(s config.Schedule, now time.Time) schedule {
	out := schedule{Schedule: s}
	if c, err := cron.ParseStandard(s.Cron); err == nil { // else there are no scheduled runs, and nothing to wait for
		out.next = c.Next(now)
		out.every = c.Next(out.next).Sub(out.next)
	}
	return out
}

// grace is how long the daemon may take until it has looked at a new window: two scheduled runs, since one of them may take long.
func (s schedule) grace() time.Duration { return 2*s.every + time.Minute }

// behindAfter is the lag that a daemon in good health stays below.
func (s schedule) behindAfter() time.Duration { return s.Window + s.Settle + s.grace() }
