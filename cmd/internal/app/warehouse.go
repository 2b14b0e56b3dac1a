package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/embedded"
)

// EnvironmentError says that something around ordersync is missing or refuses: the warehouse cannot be had. It is an
// exit code of its own, because trying again later, or elsewhere, may help, and changing the data does not.
type EnvironmentError struct{ Err error }

func (e *EnvironmentError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *EnvironmentError) Unwrap() error { return e.Err }

// WarehouseOptions are for opening a warehouse; each may be left out.
type WarehouseOptions struct {
	Log      *slog.Logger
	Progress func(stage string, done, total int64) // of the engine's first download
	Observer sink.Observer
	// ReadOnly changes nothing on a ClickHouse of the user's own, so that a user who may only read will do. The embedded
	// server has no users, and its tables are ours: there they are brought up to date all the same.
	ReadOnly bool
}

// Warehouse is an open warehouse, with its server where this process may have started one.
type Warehouse struct {
	*sink.Sink
	native string
	server *embedded.Server // nil for a ClickHouse of the user's own
}

// OpenWarehouse opens the warehouse that the configuration names. Many processes may do so at a time: one of them runs
// the embedded server and the others connect to it.
func OpenWarehouse(ctx context.Context, c config.ClickHouse, o WarehouseOptions) (*Warehouse, error) {
	w := &Warehouse{native: strings.Join(c.Addr, ",")}
	cfg := sink.Config{
		Addr: c.Addr, Database: c.Database, Username: c.Username, Password: c.Password.Reveal(), Secure: c.Secure,
		Cluster: c.Cluster, Observer: o.Observer, Log: o.Log,
	}
	if c.IsEmbedded() {
		server, err := embedded.Open(ctx, embedded.Options{Dir: c.Embedded, Log: o.Log, Progress: o.Progress})
		if err != nil {
			return nil, environment(ctx, err)
		}
		w.server, w.native = server, server.Addr()
		// The embedded server has neither users nor TLS.
		cfg.Addr, cfg.Username, cfg.Password, cfg.Secure = []string{server.Addr()}, "default", "", false
		cfg.Local = true
	}
	open := sink.Open
	if o.ReadOnly && w.server == nil {
		open = sink.OpenToRead
	}
	s, err := open(ctx, cfg)
	if err != nil {
		if w.server != nil {
			err = errors.Join(err, w.server.Close())
		}
		return nil, environment(ctx, err)
	}
	w.Sink = s
	return w, nil
}

// environment marks an error as the environment's, unless we were told to stop: then it means nothing else.
func environment(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return &EnvironmentError{err}
}

// Addresses are the native address and the URL of the HTTP interface; the URL is empty where only the server's owner
// knows it.
func (w *Warehouse) Addresses() (native, http string) {
	if w.server != nil {
		return w.server.Addr(), "http://" + w.server.HTTPAddr()
	}
	return w.native, ""
}

// Close closes the connections and then the server, which ends much sooner when its clients have gone.
func (w *Warehouse) Close() error {
	err := w.Sink.Close()
	if w.server != nil {
		err = errors.Join(err, w.server.Close())
	}
	return err
}
