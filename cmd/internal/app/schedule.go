package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// scheduler calls each of its runs at once and then whenever the schedule says; never one of them twice at a time, and
// none waits for another.
type scheduler struct {
	cron  *cron.Cron
	jobs  []cron.Job
	end   chan struct{}  // closed by stop
	extra sync.WaitGroup // cron knows nothing of the runs at the start and out of turn
}

// elapsed is a schedule whose times are waited for by elapsed time: a run is due once the time until it has passed,
// whatever the machine's clock was set to meanwhile. robfig/cron compares the times that a schedule returns with those of
// [time.Now], and of two times that both have a monotonic reading only that counts. Without it a clock that is set back by
// ten minutes would mean ten minutes without a run.
type elapsed struct{ cron.Schedule }

// Next is part of cron.Schedule. It returns the next time by the wall clock of t, with t's monotonic reading moved on by
// as much.
func (e elapsed) Next(t time.Time) time.Time {
	next := e.Schedule.Next(t)
	if next.IsZero() {
		return next // it never comes
	}
	return t.Add(next.Sub(t.Round(0)))
}

// startScheduler starts. stop must be called; the runs must end when they are told to.
func startScheduler(schedule cron.Schedule, log *slog.Logger, runs []func()) *scheduler {
	l := cronLogger{log}
	s := &scheduler{end: make(chan struct{}), cron: cron.New(
		cron.WithLocation(time.UTC),
		cron.WithLogger(l),
		// The order matters: a panic that passed through SkipIfStillRunning (robfig/cron v3.0.1) would make it skip for
		// ever, so the panic is caught inside it.
		cron.WithChain(cron.SkipIfStillRunning(l), cron.Recover(l)),
	)}
	for _, run := range runs {
		// The same wrapped job: a tick that comes due during the first run is skipped like any other.
		job := s.cron.Entry(s.cron.Schedule(schedule, cron.FuncJob(run))).WrappedJob
		s.jobs = append(s.jobs, job)
		s.extra.Go(job.Run)
	}
	s.cron.Start()
	return s
}

// also makes the i-th run whenever the channel says so, too.
func (s *scheduler) also(i int, now <-chan struct{}) {
	s.extra.Go(func() { // ends with stop
		for {
			select {
			case <-now:
				s.jobs[i].Run()
			case <-s.end:
				return
			}
		}
	})
}

// stop ends the schedule and waits for the run under way.
func (s *scheduler) stop(ctx context.Context) error {
	jobs := s.cron.Stop()
	close(s.end)
	ended := make(chan struct{})
	go func() { // ends with the runs
		defer close(ended)
		<-jobs.Done()
		s.extra.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cronLogger takes what is worth a line from robfig/cron, which says every time that it wakes up.
type cronLogger struct{ log *slog.Logger }

// Info is part of cron.Logger.
func (l cronLogger) Info(msg string, _ ...any) {
	if msg == "skip" {
		l.log.Info("tick skipped: the run before it is still under way")
	}
}

// Error is part of cron.Logger. It hears of panics.
func (l cronLogger) Error(err error, msg string, args ...any) {
	l.log.With(args...).Error("run: "+msg, "error", err)
}
