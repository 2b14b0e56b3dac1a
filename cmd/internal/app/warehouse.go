package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/embedded"
)

// EnvironmentError says that something around ordersync is missing or refuses: the warehouse is unavailable. It is an
// exit code of its own, because trying again later, or elsewhere, may help, and changing the data does not.
type EnvironmentError struct{ Err error }

func (e *EnvironmentError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *EnvironmentError) Unwrap() error { return e.Err }

// WarehouseOptions are for opening a warehouse; each may be left out.
type WarehouseOptions struct {
	Log      *slog.Logger
	Progress func(stage string, done, total int64) // of the engine's first download
	Observer sink.Observer
	// ReadOnly makes and changes no table, so that a user who may only read will do.
	ReadOnly bool
	// AsReader connects as the user of clickhouse.reader, where there is one, or as the reader of the embedded server.
	AsReader bool
	// Reconfigure makes the views anew where they are of another zone than reporting.timezone, and drops the stored one where
	// reporting.refresh is not set; without it the first is refused, and the second left alone.
	Reconfigure bool
	// Patience bounds how long a read is tried again; zero for as long as a run of hours is worth.
	Patience time.Duration
}

// Warehouse is an open warehouse, with its server where this process may have started one.
type Warehouse struct {
	*sink.Sink
	config sink.Config
	http   string           // clickhouse.http
	reader bool             // it was opened as a user who may only read
	server *embedded.Server // nil for a ClickHouse of the user's own
}

// OpenWarehouse opens the warehouse that the configuration names. Many processes may do so at a time: one of them runs
// the embedded server and the others connect to it.
func OpenWarehouse(ctx context.Context, c *config.Config, o WarehouseOptions) (*Warehouse, error) {
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

	// Report says how each stream stands; nil where the tables are not up to date.
	Report *status.Report

	window, end time.Time // of the ledger, where the tables are up to date
}

// LookAtWarehouse says what OpenWarehouse would do, and changes nothing: a folder of an embedded server that is not there
// is not made.
func LookAtWarehouse(ctx context.Context, c *config.Config, o WarehouseOptions) (state *WarehouseState, err error) {
	o.ReadOnly = true
	w, cfg, err := reach(ctx, c, o)
	if errors.Is(err, errNoFolder) {
		folder := c.ClickHouse.Embedded
		if _, err := os.Stat(filepath.Dir(filepath.Clean(folder))); err != nil {
			return nil, environment(ctx, fmt.Errorf("clickhouse.embedded: the folder's parent must exist: %w", err))
		}
		return &WarehouseState{Where: "the folder " + folder, Plan: &sink.Plan{Database: true}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	state = &WarehouseState{}
	if state.Plan, state.Version, err = sink.Look(ctx, cfg); err != nil {
		return nil, environment(ctx, err)
	}
	if state.Plan.Empty() {
		s, err := sink.OpenToRead(ctx, cfg)
		if err != nil {
			return nil, environment(ctx, err)
		}
		state.window, state.end, err = s.LastWindow(ctx)
		if err == nil {
			state.Report, err = status.Diagnose(ctx, c.Schedule, Streams(c), s, nil, time.Now().UTC())
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return nil, environment(ctx, err)
		}
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
func reach(ctx context.Context, all *config.Config, o WarehouseOptions) (*Warehouse, sink.Config, error) {
	c := all.ClickHouse
	w := &Warehouse{http: c.HTTP}
	cfg := sink.Config{
		Addr: c.Addr, Database: c.Database, Username: c.Username, Password: c.Password.Reveal(), Secure: c.Secure,
		Cluster: c.Cluster, Observer: o.Observer, Log: o.Log, MaxElapsedTime: o.Patience, Timezone: all.Reporting.Timezone,
		Refresh: all.Reporting.Refresh, Reconfigure: o.Reconfigure,
	}
	if o.AsReader && c.Reader.Username != "" {
		cfg.Username, cfg.Password, w.reader = c.Reader.Username, c.Reader.Password.Reveal(), true
	}
	if w.config = cfg; !c.IsEmbedded() {
		return w, cfg, nil
	}
	if o.ReadOnly {
		there, err := embedded.Look(c.Embedded)
		if err == nil && !there {
			err = fmt.Errorf("%w in %s: run `ordersync migrate`, or any verb that writes", errNoFolder, c.Embedded)
		}
		if err != nil {
			return nil, cfg, environment(ctx, err)
		}
	}
	server, err := embedded.Open(ctx, embedded.Options{
		Dir: c.Embedded, Database: c.Database, NativePort: c.Ports.Native, HTTPPort: c.Ports.HTTP, Log: o.Log, Progress: o.Progress,
	})
	if err != nil {
		return nil, cfg, environment(ctx, err)
	}
	w.server = server
	login := server.Login(embedded.Owner)
	if o.AsReader {
		login, w.reader = server.Login(embedded.Reader), embedded.Confined()
	}
	cfg.Addr, cfg.Username, cfg.Password, cfg.Secure, cfg.Dial = []string{server.Addr()}, login.Username, login.Password, false, embedded.Dial
	w.config = cfg
	return w, cfg, nil
}

// CheckWindow refuses a schedule.window that is not the length of the windows that the ledger holds: the new ones would
// overlap them, and their orders would be counted in both (I2). The error is one of the configuration.
func (w *Warehouse) CheckWindow(ctx context.Context, size time.Duration) error {
	start, end, err := w.LastWindow(ctx)
	if err != nil {
		return environment(ctx, err)
	}
	return checkWindow(start, end, size)
}

// CheckWindow is what the warehouse's CheckWindow will say, as far as its ledger can be read by now.
func (s *WarehouseState) CheckWindow(size time.Duration) error {
	return checkWindow(s.window, s.end, size)
}

// checkWindow compares a schedule.window with a window of the ledger; zero times are none.
func checkWindow(start, end time.Time, size time.Duration) error {
	stored := end.Sub(start)
	if start.IsZero() || stored == size && start.Equal(start.Truncate(size)) {
		return nil
	}
	return &config.Error{Problems: []config.Problem{{
		Field: "schedule.window",
		Message: fmt.Sprintf("is %s, and the warehouse was filled in windows of %s: both would overlap "+
			"(set it back to %[2]s, or fill another database with clickhouse.database)", size, stored),
	}}}
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
	return strings.Join(w.config.Addr, ","), ""
}

// Login is how a program logs in to the warehouse.
type Login struct {
	Native   string // host:port of the native protocol
	HTTP     string // URL of the HTTP interface, without a path
	Database string // what is meant by a table's name alone
	Username string
	Password config.Secret
	Secure   bool // TLS on the native port
	// Reader reports that the server itself lets this user do no more than read the database.
	Reader bool
	// Settings are those that each query needs, by name.
	Settings map[string]any
	// Dial makes the connections, in the way of [net.Dialer.DialContext], which it is where nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Login is the login that the warehouse was opened with. Where the configuration does not say where the HTTP interface is,
// the server is asked. The error is an *EnvironmentError that names the remedy.
func (w *Warehouse) Login(ctx context.Context) (Login, error) {
	c := w.config
	l := Login{
		Native: c.Addr[0], Database: c.Database, Username: c.Username, Password: config.Secret(c.Password), Secure: c.Secure,
		Reader: w.reader, Settings: c.Settings(), Dial: c.Dial,
	}
	scheme, port := "http", "http_port"
	if c.Secure {
		scheme, port = "https", "https_port"
	}
	switch {
	case w.server != nil:
		l.HTTP = "http://" + w.server.HTTPAddr()
	case strings.Contains(w.http, "://"):
		l.HTTP = w.http
	case w.http != "":
		l.HTTP = scheme + "://" + w.http
	default:
		var n uint16
		if err := w.Conn().QueryRow(ctx, "SELECT toUInt16(getServerPort($1))", port).Scan(&n); err != nil {
			return l, environment(ctx, fmt.Errorf("the server does not say where its HTTP interface is (%s): %w; set clickhouse.http", port, err))
		}
		host, err := reachable(ctx, c.Addr, strconv.Itoa(int(n)))
		if err != nil {
			return l, environment(ctx, fmt.Errorf("the HTTP interface of the server: %w; open the port, or set clickhouse.http", err))
		}
		l.HTTP = scheme + "://" + host
	}
	return l, nil
}

// reachable returns the first server that takes connections on a port, as host:port.
func reachable(ctx context.Context, servers []string, port string) (string, error) {
	var errs []error
	for _, addr := range servers {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return "", err // Unreachable for a configuration that was checked.
		}
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
		if err == nil {
			return net.JoinHostPort(host, port), conn.Close()
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
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
