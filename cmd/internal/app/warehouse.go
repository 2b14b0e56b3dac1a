package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
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
	// ReadOnly makes and changes no table, so that a user who may only read will do.
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
	w, cfg, err := reach(ctx, c, o)
	if err != nil {
		return nil, err
	}
	open := sink.Open
	if o.ReadOnly {
		open = sink.OpenToRead
	}
	if w.Sink, err = open(ctx, cfg); err != nil {
		return nil, environment(ctx, errors.Join(err, w.close()))
	}
	return w, nil
}

// WarehouseState is what LookAtWarehouse found.
type WarehouseState struct {
	Where   string     // the server's addresses, or the folder that is not there yet
	Version string     // of the server; empty where the folder is not there yet
	Plan    *sink.Plan // what OpenWarehouse would do
}

// LookAtWarehouse says what OpenWarehouse would do, and changes nothing: a folder of an embedded server that is not there
// is not made.
func LookAtWarehouse(ctx context.Context, c config.ClickHouse, o WarehouseOptions) (state *WarehouseState, err error) {
	o.ReadOnly = true
	w, cfg, err := reach(ctx, c, o)
	if errors.Is(err, errNoFolder) {
		if _, err := os.Stat(filepath.Dir(filepath.Clean(c.Embedded))); err != nil {
			return nil, environment(ctx, fmt.Errorf("clickhouse.embedded: the folder's parent must exist: %w", err))
		}
		return &WarehouseState{Where: "the folder " + c.Embedded, Plan: &sink.Plan{Database: true}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	state = &WarehouseState{}
	if state.Plan, state.Version, err = sink.Look(ctx, cfg); err != nil {
		return nil, environment(ctx, err)
	}
	native, url := w.Addresses()
	if state.Where = native; url != "" {
		state.Where += ", HTTP " + url
	}
	return state, nil
}

// errNoFolder says that the embedded server has no data to serve.
var errNoFolder = errors.New("there is no warehouse yet")

// reach finds or starts the server. To read, it does not make the folder of an embedded one.
func reach(ctx context.Context, c config.ClickHouse, o WarehouseOptions) (*Warehouse, sink.Config, error) {
	w := &Warehouse{native: strings.Join(c.Addr, ",")}
	cfg := sink.Config{
		Addr: c.Addr, Database: c.Database, Username: c.Username, Password: c.Password.Reveal(), Secure: c.Secure,
		Cluster: c.Cluster, Observer: o.Observer, Log: o.Log,
	}
	if !c.IsEmbedded() {
		return w, cfg, nil
	}
	if _, err := os.Stat(filepath.Join(c.Embedded, "data")); o.ReadOnly && errors.Is(err, fs.ErrNotExist) {
		return nil, cfg, environment(ctx, fmt.Errorf("%w in %s: run `ordersync migrate`, or any verb that writes", errNoFolder, c.Embedded))
	}
	server, err := embedded.Open(ctx, embedded.Options{Dir: c.Embedded, Log: o.Log, Progress: o.Progress})
	if err != nil {
		return nil, cfg, environment(ctx, err)
	}
	w.server, w.native = server, server.Addr()
	// The embedded server has neither users nor TLS.
	cfg.Addr, cfg.Username, cfg.Password, cfg.Secure = []string{server.Addr()}, "default", "", false
	cfg.Local = true
	return w, cfg, nil
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
func (w *Warehouse) Close() error { return errors.Join(w.Sink.Close(), w.close()) }

// close closes the server, where there is one of ours.
func (w *Warehouse) close() error {
	if w.server == nil {
		return nil
	}
	return w.server.Close()
}
