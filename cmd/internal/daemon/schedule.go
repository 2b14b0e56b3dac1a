package daemon

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"
)

// scheduler calls each of its runs at once and then whenever the schedule says; never one of them twice at a time, and
// none waits for another. The loop is not that of robfig/cron, which compares wall clocks when it wakes up: a clock that is
// set back by ten minutes would mean ten minutes without a run.
type scheduler struct {
	jobs []cron.Job
	end  chan struct{} // closed by stop
	runs sync.WaitGroup
}

// scheduled is a run that a schedule makes again and again.
type scheduled struct {
	account string // whose run it is
	run     func()
	also    <-chan struct{} // says when it is to be made besides; nil for never
}

// sameTime is how far a clock that nobody has set may be from where it was when a wait for a time began.
const sameTime = time.Second

// startScheduler starts. now is the wall clock, in UTC. stop must be called; the runs must end when they are told to.
func startScheduler(schedule cron.Schedule, now func() time.Time, log *slog.Logger, runs ...scheduled) *scheduler {
	s := &scheduler{end: make(chan struct{})}
	for _, r := range runs {
		l := &cronLogger{log: log.With("account", r.account)}
		// The order matters: a panic that passed through SkipIfStillRunning (robfig/cron v3.0.1) would make it skip for ever, so
		// the panic is caught inside it.
		job := cron.NewChain(cron.SkipIfStillRunning(l), l.ended, cron.Recover(l)).Then(cron.FuncJob(r.run))
		s.jobs = append(s.jobs, job)
		s.runs.Go(job.Run)
		s.runs.Go(func() { // ends with stop
			for {
				select {
				case <-r.also:
					job.Run()
				case <-s.end:
					return
				}
			}
		})
	}
	s.runs.Go(func() { // ends with stop
		for at := now(); ; {
			due := schedule.Next(at)
			if due.IsZero() {
				return // it never comes
			}
			// A wait is of elapsed time, whatever the clock is set to meanwhile. What comes after it goes by the clock as it is then.
			select {
			case <-time.After(due.Sub(now())):
			case <-s.end:
				return
			}
			for _, job := range s.jobs {
				s.runs.Go(job.Run)
			}
			if at = now(); due.Sub(at) < sameTime && due.After(at) {
				at = due // the timer was a little early, and this time is not to come again
			}
		}
	})
	return s
}

// stop ends the schedule and waits for the run under way.
func (s *scheduler) stop(ctx context.Context) error {
	close(s.end)
	ended := make(chan struct{})
	go func() { // ends with the runs
		defer close(ended)
		s.runs.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cronLogger takes what is worth a line from robfig/cron about one run, which says every time that it wakes up. A run may last for
// hundreds of its times: a line says when the first one is skipped, and one how many were.
type cronLogger struct {
	log     *slog.Logger
	skipped atomic.Int64 // during the run under way
}

// Info is part of cron.Logger.
func (l *cronLogger) Info(msg string, _ ...any) {
	if msg == "skip" && l.skipped.Add(1) == 1 {
		l.log.Info("scheduled runs are skipped: the run before them is still under way")
	}
}

// ended is a cron.JobWrapper.
func (l *cronLogger) ended(job cron.Job) cron.Job {
	return cron.FuncJob(func() {
		job.Run()
		if n := l.skipped.Swap(0); n > 0 {
			l.log.Info("the run is over during which scheduled runs were skipped", "skipped", n)
		}
	})
}

// Error is part of cron.Logger. It hears of panics.
func (l *cronLogger) Error(err error, msg string, args ...any) {
	l.log.With(args...).Error("run: "+msg, "error", err)
}
