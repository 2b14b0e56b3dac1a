package app

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/web"
)

const (
	// listenEvery is how soon an address that was taken is tried again.
	listenEvery = time.Second
	// listenTries is how often a daemon that works on an account tries at its start: the one before it may be about to end,
	// and after that the address is a mistake in the configuration.
	listenTries = 5
)

// server serves HTTP, or tries to while another daemon has the address.
type server struct {
	mu     sync.Mutex
	web    *web.Server // nil before the address was free
	failed chan error
}

func (s *server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.web == nil {
		return ""
	}
	return s.web.URL()
}

// serve starts to serve HTTP. A second daemon with the same configuration finds the address taken: it stands by all the
// same, without HTTP, and takes the address when it is free.
func (a *App) serve(ctx context.Context) error {
	s := &server{failed: make(chan error, 1)}
	a.web = s
	at := a.cfg.HTTP // a reload does not change it
	listen := func() error {
		w, err := web.Listen(at.Listen, web.Options{
			Metrics: a.registry, Ready: a.warehouse.Ping, ReadyText: a.leases.Ready, Status: a.Status, Log: a.log, Hosts: at.Hosts,
		})
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.web = w
		s.mu.Unlock()
		a.log.Info("http is served", "url", w.URL())
		return nil
	}
	err := listen()
	for try := 1; errors.Is(err, syscall.EADDRINUSE) && a.leases.LeadsAny() && try < listenTries; try++ {
		select {
		case <-time.After(listenEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		err = listen()
	}
	taken := errors.Is(err, syscall.EADDRINUSE)
	if err != nil && (!taken || a.leases.LeadsAny()) {
		return err
	}
	if taken {
		a.log.Warn("standing by without http: its address is taken, by the daemon that works on the accounts as it seems; it is tried again", "error", err)
	}
	waits, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { // ends with the clean-up
		for s.URL() == "" {
			select {
			case <-time.After(listenEvery):
			case <-waits.Done():
				return
			}
			switch err := listen(); {
			case err == nil:
			case a.leases.LeadsAny():
				// Who works on an account should be seen to; the same line comes once an hour.
				a.log.Error("http is not served: end what listens there, or choose another http.listen", "error", err)
			}
		}
		select {
		case err := <-s.web.Failed():
			s.failed <- err
		case <-waits.Done():
		}
	})
	a.cleanups.add("http", func(ctx context.Context) error {
		cancel()
		serving.Wait()
		if s.web == nil {
			return nil
		}
		return s.web.Stop(ctx)
	})
	return nil
}
