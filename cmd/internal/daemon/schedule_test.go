package daemon

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
)

// synctest's clock begins at midnight UTC of 2000-01-01.
func TestScheduleRunsAtOnceAndThenOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schedule, err := cron.ParseStandard("*/5 * * * *")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		var mu sync.Mutex
		var at []string
		s := startScheduler(schedule, time.Now, slog.New(slog.DiscardHandler), scheduled{run: func() {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now().UTC().Format(time.TimeOnly))
		}})
		time.Sleep(14 * time.Minute)
		if err := s.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{"00:02:00", "00:05:00", "00:10:00", "00:15:00"}, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestScheduleSkipsWhileARunGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var runs atomic.Int64
		s := startScheduler(cron.Every(time.Minute), time.Now, slog.New(slog.NewTextHandler(&log, nil)), scheduled{run: func() {
			runs.Add(1)
			time.Sleep(150 * time.Second)
		}})
		time.Sleep(170 * time.Second)
		synctest.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("%d runs at a time", n)
		}
		if n := strings.Count(log.String(), "scheduled runs are skipped"); n != 1 || strings.Count(log.String(), "skipped=2") != 1 {
			t.Errorf("of two skips the log says\n%s", log.String())
		}
		stopped := time.Now()
		time.Sleep(20 * time.Second) // the next run begins
		if err := s.stop(t.Context()); err != nil || time.Since(stopped) < 100*time.Second {
			t.Errorf("stop did not wait for the run: %v", err)
		}
	})
}

// Somebody sets the machine's clock, back or forward, or it drifts a little: the next run comes when the time until it has
// passed, and those after it by the clock as it is then.
func TestScheduleWhenTheClockIsSet(t *testing.T) {
	schedule, err := cron.ParseStandard("*/5 * * * *")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		by   time.Duration
		want []string // by elapsed time; it begins at 00:00, and the clock is set at 00:07
	}{
		{0, []string{"00:00:00", "00:05:00", "00:10:00", "00:15:00", "00:20:00"}},
		{-10 * time.Minute, []string{"00:00:00", "00:05:00", "00:10:00", "00:15:00", "00:20:00"}},
		{-time.Hour - 2*time.Minute, []string{"00:00:00", "00:05:00", "00:10:00", "00:12:00", "00:17:00", "00:22:00"}},
		{-90 * 24 * time.Hour, []string{"00:00:00", "00:05:00", "00:10:00", "00:15:00", "00:20:00"}},
		{2 * time.Minute, []string{"00:00:00", "00:05:00", "00:10:00", "00:13:00", "00:18:00", "00:23:00"}},
		{366 * 24 * time.Hour, []string{"00:00:00", "00:05:00", "00:10:00", "00:15:00", "00:20:00"}},
		{-300 * time.Millisecond, []string{"00:00:00", "00:05:00", "00:10:00", "00:15:00", "00:20:00"}}, // each at most once
	} {
		t.Run(c.by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var offset atomic.Int64
				now := func() time.Time { return time.Now().UTC().Add(time.Duration(offset.Load())) }
				var mu sync.Mutex
				var at []string
				s := startScheduler(schedule, now, slog.New(slog.DiscardHandler), scheduled{run: func() {
					mu.Lock()
					defer mu.Unlock()
					at = append(at, time.Time{}.Add(time.Since(began)).Format(time.TimeOnly))
				}})
				time.Sleep(7 * time.Minute)
				offset.Store(int64(c.by))
				time.Sleep(17*time.Minute + time.Second)
				if err := s.stop(t.Context()); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, at); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A panic in one run must not end the daemon, nor make every later run be skipped.
func TestScheduleSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var runs atomic.Int64
		s := startScheduler(cron.Every(time.Minute), time.Now, slog.New(slog.NewTextHandler(&log, nil)), scheduled{run: func() {
			if runs.Add(1) == 1 {
				panic("the first run")
			}
		}})
		time.Sleep(150 * time.Second)
		if err := s.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := runs.Load(); n != 3 || !strings.Contains(log.String(), "the first run") {
			t.Errorf("%d runs:\n%s", n, log.String())
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := startScheduler(cron.Every(time.Minute), time.Now, slog.New(slog.DiscardHandler), scheduled{run: func() { <-release }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(release)
	})
}
