package simulator

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server is the vendor's gateway: an http.Handler, and a listener of its own with Start. Its zero value is not usable;
// make it with New.
type Server struct {
	mu       sync.Mutex
	accounts map[string]*Account
	http     *http.Server
	url      string
	done     chan struct{} // closed by Close, which ends whatever hangs
	closed   bool
	inflight sync.WaitGroup

	nonces   nonces
	requests atomic.Uint64
	errors   map[string]int
}

// New makes a server for the accounts. Without Start it is only a handler.
func New(accounts ...*Account) *Server {
	s := &Server{accounts: map[string]*Account{}, done: make(chan struct{}), errors: map[string]int{}}
	for _, a := range accounts {
		s.AddAccount(a)
	}
	return s
}

// AddAccount serves one more account, found by its access key id. An account with the same key id is replaced.
func (s *Server) AddAccount(a *Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[a.o.AccessKeyID] = a
}

// Start listens on an address; ":0" is a free port of the loopback interface. A closed server may be started again.
func (s *Server) Start(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		return errors.New("simulator: already started")
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	if s.closed {
		s.closed, s.done = false, make(chan struct{})
	}
	s.url = "http://" + l.Addr().String()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	// The goroutine ends with Close, which waits for it.
	s.inflight.Add(1)
	go func(h *http.Server) {
		defer s.inflight.Done()
		h.Serve(l)
	}(s.http)
	return nil
}

// URL is the endpoint after Start: http://host:port. UniCloud's path, /transaction, is below it.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// Close stops listening, cuts every connection and waits for the calls in hand. It may be called again.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	h := s.http
	s.http = nil
	s.mu.Unlock()
	var err error
	if h != nil {
		err = h.Close()
	}
	s.inflight.Wait()
	return err
}

// Requests is how many HTTP requests came in, whatever became of them.
func (s *Server) Requests() int { return int(s.requests.Load()) }

// Errors counts the error answers by code, those to unknown callers included.
func (s *Server) Errors() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.errors)
}
