package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/cenkalti/backoff/v4"
)

// supervise keeps the folder served until ctx ends: an owner starts its child again when it dies, a follower becomes the
// owner when there is none any more. It stops the child before it returns.
func (s *Server) supervise(ctx context.Context) {
	defer s.release()
	checks := time.NewTicker(s.opts.checkEvery)
	defer checks.Stop()
	failures := 0
	for ctx.Err() == nil {
		if !s.Owner() {
			s.follow(ctx)
			continue
		}
		select {
		case <-ctx.Done():
		case <-checks.C:
			err := s.at.alive(ctx, s.files.data, s.users.login(Owner))
			if failures++; err == nil {
				failures = 0
			}
			if failures == maxFailures && ctx.Err() == nil {
				failures = 0
				s.log.Warn("the embedded ClickHouse does not answer any more; it is killed", "pid", s.child.cmd.Process.Pid, "error", err)
				_ = s.child.cmd.Process.Kill() // fails only if it has ended meanwhile
			}
		case <-s.child.exited: // only this goroutine replaces the child
			s.log.Warn("the embedded ClickHouse died; starting it again", "pid", s.child.cmd.Process.Pid,
				"state", s.child.cmd.ProcessState.String(), "output", s.child.output.tail())
			s.restart(ctx)
		}
	}
}

// A server that is busy answers late, one that hangs or has stopped listening does not answer at all: it is replaced when
// this many questions in a row had no answer, each of them within several seconds.
const (
	checkEvery  = 10 * time.Second
	maxFailures = 3
)

// alive reports nil where the server says anything at all on both ports: a refusal is a sign of life, too.
func (at address) alive(ctx context.Context, data string, l Login) error {
	err := at.probe(ctx, data, l)
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return nil
	}
	return err
}

// restart starts the server on the ports it had, so that open connection pools find it again.
func (s *Server) restart(ctx context.Context) {
	s.mu.Lock()
	at := s.at
	s.child = nil
	s.mu.Unlock()
	wait := newBackOff()
	for ctx.Err() == nil {
		lib, err := library(ctx, s.log, nil)
		if err == nil {
			err = s.start(ctx, lib, at)
		}
		if err == nil {
			s.log.Info("the embedded ClickHouse runs", "pid", s.Pid(), "addr", at.Native)
			return
		}
		if ctx.Err() != nil {
			return
		}
		next := wait.NextBackOff()
		s.log.Error("the embedded ClickHouse could not be started", "error", err, "again_in", next)
		_ = pause(ctx, next) // the loop looks at ctx
	}
}

// follow watches the owner's lock and returns when this process has become the owner or ctx has ended.
func (s *Server) follow(ctx context.Context) {
	for pause(ctx, pollInterval) == nil {
		lock, err := tryLock(s.files.ownerLock)
		if err != nil {
			s.log.Error("the owner's lock can not be watched", "error", err)
			_ = pause(ctx, maxWait) // the loop looks at ctx
			continue
		}
		if lock != nil {
			s.takeOver(ctx, lock)
			return
		}
		// A new owner keeps the ports unless somebody else has taken them.
		if at, err := s.files.readAddress(); err == nil {
			s.mu.Lock()
			s.at = at
			s.mu.Unlock()
		}
	}
}

// takeOver makes this process the owner. From here on a start that fails is tried again like any restart.
func (s *Server) takeOver(ctx context.Context, lock *os.File) {
	s.log.Info("the owner of the embedded ClickHouse has gone; taking over")
	s.mu.Lock()
	s.owner = lock
	s.mu.Unlock()
	s.restart(ctx)
}

// release returns the folder up and stops the child. The order matters: a process that opens the folder meanwhile must not
// mistake a server that is stopping for one to connect to, and server.lock makes it wait for the child.
func (s *Server) release() {
	s.mu.Lock()
	lock, c := s.owner, s.child
	s.owner, s.child = nil, nil
	s.mu.Unlock()
	if lock != nil {
		lock.Close()
	}
	if c != nil {
		c.stop()
	}
}

// maxWait bounds the time between two attempts, and how often the log repeats the same error.
const maxWait = 10 * time.Second

func newBackOff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(maxWait),
		backoff.WithMaxElapsedTime(0), // never gives up: Close ends it
	)
}

// waitLock takes a lock that is about to become free.
func waitLock(ctx context.Context, path string, d time.Duration) (*os.File, error) {
	deadline := time.Now().Add(d)
	for {
		lock, err := tryLock(path)
		if lock != nil || err != nil {
			return lock, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("another process holds %s for more than %s", path, d)
		}
		if err := pause(ctx, pollInterval/4); err != nil {
			return nil, err
		}
	}
}
