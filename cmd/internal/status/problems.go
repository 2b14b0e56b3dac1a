package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// schedule is what the configuration says about time, as of a moment.
type schedule struct {
	config.Schedule
	next time.Time     // the next scheduled run
	tick time.Duration // between two scheduled runs
}

func newSchedule(s config.Schedule, now time.Time) schedule {
	out := schedule{Schedule: s}
	if c, err := cron.ParseStandard(s.Cron); err == nil { // else there are no scheduled runs, and nothing to wait for
		out.next = c.Next(now)
		out.tick = c.Next(out.next).Sub(out.next)
	}
	return out
}

// grace is how long the daemon may take until it has looked at a new window: two scheduled runs, since one of them may take long.
func (s schedule) grace() time.Duration { return 2*s.tick + time.Minute }

// behindAfter is the lag that a daemon in good health stays below.
func (s schedule) behindAfter() time.Duration { return s.Window + s.Settle + s.grace() }

func newStream(l sink.StreamSummary, byID bool, rejects sink.RejectCount, last *Verification, findings []Findings, success, now time.Time, behind time.Duration) Stream {
	a := Stream{
		ByID: byID, LastSuccess: format.TimeOrNull(success),
		Account: l.Account, OwnerID: l.OwnerID, Windows: l.Windows, Gaps: l.Gaps, GapSeconds: l.Missing.Seconds(),
		Orders: l.Orders, OpenRejects: rejects.Open, Accepted: rejects.Accepted, Pending: l.Pending, Verified: last, Findings: findings, Problems: []string{},
		CompleteFrom: format.TimeOrNull(l.CompleteFrom), CompleteTo: format.TimeOrNull(l.CompleteTo),
		Oldest: format.TimeOrNull(l.Oldest), Newest: format.TimeOrNull(l.Newest), LastRun: format.TimeOrNull(l.LastFinished),
	}
	problem := func(text string, args ...any) { a.Problems = append(a.Problems, fmt.Sprintf(text, args...)) }
	done := l.CompleteTo
	if byID {
		done = success
	}
	switch {
	case byID && done.IsZero():
		problem("never refreshed: give its orders by their ids with `ordersync track --account %s ID…`, then `ordersync run`", l.Account)
	case len(l.Windows) == 0 && l.Unproven == 0 && !byID:
		problem("never synced: run `ordersync backfill --from …`, then `ordersync run`")
	case done.IsZero():
		problem("no window is complete yet")
	default:
		lag := now.Sub(done).Seconds()
		a.LagSeconds = &lag
		if now.Sub(done) > behind {
			problem("behind by %s: is `ordersync run` running?", format.Span(now.Sub(done)))
		}
	}
	for _, v := range []schema.Verdict{schema.Short, schema.Failed} {
		if n := l.Windows[v]; n > 0 {
			problem("%d windows are %s: SELECT * FROM sync_windows WHERE verdict = '%s'", n, v, v)
		}
	}
	if l.Unproven > 0 {
		problem("%d windows were listed with other filters than are configured now: the daemon lists them again, or at once `ordersync backfill`", l.Unproven)
	}
	if l.Gaps > 0 {
		problem("%d gaps, %s in all, between the oldest and the newest window: `ordersync backfill` fills them", l.Gaps, format.Span(l.Missing))
	}
	if rejects.Open > 0 {
		problem("%d records could not be stored: `ordersync rejects` lists them", rejects.Open)
	}
	// Those whose missing detail an operator accepted are no problem any more.
	if l.Pending > uint64(rejects.AcceptedDetails) {
		problem("%d orders are without their items: SELECT * FROM orders WHERE detail_status = 'pending'", l.Pending-uint64(rejects.AcceptedDetails))
	}
	if len(findings) > 0 {
		var differ []string
		var found time.Time
		for _, f := range findings {
			differ = append(differ, fmt.Sprintf("%s between %s", format.Plural(f.Open, "difference"), between[f.Depth]))
			if f.Found.After(found) {
				found = f.Found
			}
		}
		problem("%s, the last found on %s: `ordersync verify --repair`; SELECT * FROM sync_findings WHERE isNull(ended_at)",
			strings.Join(differ, ", "), found.Format("2006-01-02 15:04"))
	}
	if last != nil && last.Error != "" {
		problem("the last verification, of %s, was not finished: %s", last.Finished.Format("2006-01-02 15:04"), last.Error)
	}
	return a
}

// between says of each depth what differs.
var between = map[string]string{
	"ledger":   "the stored rows and the ledger",
	"counts":   "the source's counts and the copy",
	"rows":     "the source's list rows and the copy",
	"payloads": "stored rows and the payloads that they were made of",
	"details":  "the source's details and the copy",
}
