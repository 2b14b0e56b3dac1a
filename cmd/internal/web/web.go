// Package web serves what ordersync tells about itself over HTTP: the status page and the same as JSON, metrics, health and
// readiness.
//
// Nothing here asks for a password, and nothing here shows a secret (I10); the configuration says on which address it
// listens.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ordersync/ordersync/cmd/internal/status"
)

// readyTimeout bounds a readiness check: an orchestrator that waits for two seconds must have its answer by then, and a
// slow yes is a no.
const readyTimeout = 1500 * time.Millisecond

// Options say what is served.
type Options struct {
	Metrics prometheus.Gatherer
	// Ready reports nil while the warehouse answers. Without it there would be nothing to serve, and an orchestrator
	// should not call that ready.
	Ready func(context.Context) error
	// ReadyText is what is said then; nil for "ok".
	ReadyText func() string
	// Status makes the report that the front page and /api/status show.
	Status func(context.Context, status.Query) (*status.Report, error)
	Log    *slog.Logger // nil for silence
	// Hosts are the names that the server is asked for, besides those of this machine and of the address it listens on.
	Hosts []string
}

// handler answers the paths that ordersync serves.
func handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := o.Ready(ctx); err != nil {
			// The cause is in the log; strangers need not see addresses.
			text(w, http.StatusServiceUnavailable, "the warehouse does not answer")
			return
		}
		body := "ok"
		if o.ReadyText != nil {
			body = o.ReadyText()
		}
		text(w, http.StatusOK, body)
	})
	p := &page{log: o.Log, reports: newReports(o.Status)}
	mux.HandleFunc("GET /{$}", p.html)
	mux.HandleFunc("GET /api/status", p.json)
	return guardHosts(o.Hosts, gzhttp.GzipHandler(mux))
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body+"\n") // whoever asked may have gone
}

// Server is a listening HTTP server.
type Server struct {
	http     *http.Server
	listener net.Listener
	done     sync.WaitGroup
	failed   chan error
}

// Listen starts to serve on host:port; port 0 takes a free one. The server runs until Stop.
func Listen(addr string, o Options) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http: %w (choose another address with http.listen)", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		o.Hosts = append(slices.Clone(o.Hosts), host)
	}
	s := &Server{
		listener: l,
		failed:   make(chan error, 1),
		http: &http.Server{
			Handler:           handler(o),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
		},
	}
	s.done.Go(func() { // ends with Stop
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("http: %w", err)
		}
	})
	return s, nil
}

// Addr is where the server listens, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the front page as a person on this machine opens it: a server that listens on every interface is there too.
func (s *Server) URL() string {
	addr, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return "http://" + s.Addr()
	}
	return fmt.Sprintf("http://127.0.0.1:%d", addr.Port)
}

// Failed returns the error of a server that ended by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop ends the server: answers under way are finished within ctx, then connections are cut.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.done.Wait()
	return err
}
