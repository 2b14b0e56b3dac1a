package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v4"
	"golang.org/x/sync/semaphore"

	"github.com/ordersync/ordersync/schema"
)

// Config says which ClickHouse to use and how.
type Config struct {
	Addr     []string // host:port of the native protocol; several are tried in order
	Database string   // created where it does not exist
	Username string
	Password string
	Secure   bool // TLS, verified against the system's certificates

	// Cluster is the name of a cluster of the server's configuration: its servers hold the rows together, see
	// schema.Cluster. Empty = one server.
	Cluster string
	// EachNode creates the tables of a Cluster on each of Addr by itself and without replication, which needs no Keeper.
	// Addr must name all servers then. It serves tests on the embedded server; nothing in the configuration sets it.
	EachNode bool
	// here looks at the server of the connection only: who may only read may not be allowed to ask the others of a cluster.
	here bool

	// Timezone is the IANA name of the reporting zone, which decides the days and months of the views; UTC where empty. It is
	// one of the warehouse: one whose views have another zone is refused, unless Reconfigure says that they are to be made anew.
	Timezone string
	// Refresh is how often the server makes the stored views anew, in whole seconds; 0 where there are to be none. Those that
	// are there are left alone then, unless Reconfigure says that they are to be dropped.
	Refresh     time.Duration
	Reconfigure bool

	// MaxElapsedTime bounds the retries of one block or read, from its first failure; DefaultMaxElapsedTime where zero.
	MaxElapsedTime time.Duration
	// DialTimeout bounds the making of a connection; DefaultDialTimeout where zero.
	DialTimeout time.Duration
	// Dial makes the connections without TLS, in the way of [net.Dialer.DialContext], which it is where nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Observer is told of every insert and retry; it may be nil.
	Observer Observer
	// Log hears of retries, which are not errors yet. Nil = silent.
	Log *slog.Logger
}

// Defaults of Config.
const (
	DefaultMaxElapsedTime = 2 * time.Minute
	DefaultDialTimeout    = 10 * time.Second
)

// Bounds of the connections to the server. Reads and writes take turns on the first ones, however many accounts there are;
// the spare ones are for what must not wait for them: signs of life, claims, and what a person asks.
const (
	maxConnections   = 8
	spareConnections = 4
)

// Observer is how metrics learn what the sink does. Its methods are called from the goroutine that calls Write.
type Observer interface {
	// Inserted tells that the server confirmed rows of a table, and how long it took, retries included.
	Inserted(table string, rows int, d time.Duration)
	// Retried tells that a block has to be sent again. The reason is one of a few labels.
	Retried(table, reason string)
}

// noObserver stands in where Config.Observer is nil.
type noObserver struct{}

func (noObserver) Inserted(string, int, time.Duration) {}
func (noObserver) Retried(string, string)              {}

// Sink writes to and reads from one database. It is safe for use by several goroutines.
type Sink struct {
	conn     driver.Conn
	database string
	cluster  bool
	retry    retryPolicy
	observer Observer
	turns    *semaphore.Weighted // the connections for reads and writes, see connected
	made     *Plan
	zone     *time.Location // the reporting zone
	filters  schema.Filters
}

// Narrowed returns the same warehouse as it is for an account whose listings are narrowed by filters. Of what is stored, it
// counts only what those listings would show, and of the ledger it holds nothing for proven that was listed with other
// filters (I12). Connections are shared: closing either closes both.
func (s *Sink) Narrowed(f schema.Filters) *Sink {
	narrowed := *s
	narrowed.filters = f
	return &narrowed
}

// Zone is the reporting zone, in which the views have their days and months.
func (s *Sink) Zone() *time.Location { return s.zone }

// Made is what Open has done to the tables and views; it is empty where they were up to date.
func (s *Sink) Made() *Plan { return s.made }

// Open connects, creates the database where it is missing, and brings its tables and views up to date; [Look] says what
// that would be. It refuses a database that has objects of other makers under the names of ours, and a warehouse of a newer
// version, and changes nothing then (I13). It does not wait for a server that is down: the error says at once what is wrong
// and what to do.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	return cfg.open(ctx, open)
}

// open opens a sink by one of the ways to do so, and does it again while the server answers that it cannot do something yet:
// it may be starting. One that does not answer, or refuses us, is not waited for.
func (c Config) open(ctx context.Context, by func(context.Context, Config) (*Sink, error)) (s *Sink, err error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	retry := retryPolicy{maxElapsed: c.MaxElapsedTime, log: c.Log}
	err = retry.do(ctx, retry.tell(ctx, "opening the warehouse failed, trying again"), func() error {
		s, err = by(ctx, c)
		if _, exception := errors.AsType[*clickhouse.Exception](err); err != nil && !exception {
			return backoff.Permanent(err)
		}
		return err
	})
	return s, err
}

func open(ctx context.Context, cfg Config) (*Sink, error) {
	made, err := migrate(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s, err := cfg.connect(ctx)
	if err != nil {
		return nil, err
	}
	s.made = made
	return s, nil
}

// complete fills in what was left out, and refuses what cannot be.
func (c *Config) complete() error {
	if len(c.Addr) == 0 {
		return errors.New("clickhouse: no address given: set clickhouse.addr or clickhouse.embedded")
	}
	if c.Database == "" {
		return errors.New("clickhouse: no database given: set clickhouse.database")
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxElapsedTime == 0 {
		c.MaxElapsedTime = DefaultMaxElapsedTime
	}
	if c.Timezone == "" {
		c.Timezone = schema.DefaultZone
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		return fmt.Errorf("reporting.timezone: %w", err)
	}
	return nil
}

// connect makes the sink and asks the server for a sign of life.
func (c Config) connect(ctx context.Context) (*Sink, error) {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, err // Unreachable for a Config that is complete.
	}
	conn, err := clickhouse.Open(c.options(c.Database))
	if err != nil {
		return nil, connectError(c, "connect", err)
	}
	s := &Sink{
		conn:     conn,
		database: c.Database,
		cluster:  c.Cluster != "",
		retry:    retryPolicy{maxElapsed: c.MaxElapsedTime, log: c.Log},
		observer: c.Observer,
		turns:    semaphore.NewWeighted(maxConnections),
		zone:     zone,
	}
	if err := s.ping(ctx); err != nil {
		return nil, errors.Join(connectError(c, "connect", err), conn.Close())
	}
	return s, nil
}

// Close ends all connections. The sink cannot be used afterwards.
func (s *Sink) Close() error { return s.conn.Close() }

// Ping asks the server for a sign of life, and through it each shard of a cluster. It returns when ctx ends at the latest.
func (s *Sink) Ping(ctx context.Context) error {
	// The driver waits for the greeting of a new connection as long as a dial may take, whatever its context says.
	done := make(chan error, 1)
	go func() { done <- s.ping(ctx) }() // ends with the dial at the latest
	select {
	case err := <-done:
		return withRemedy(err)
	case <-ctx.Done():
		return fmt.Errorf("the server does not answer: %w", context.Cause(ctx))
	}
}

func (s *Sink) ping(ctx context.Context) error {
	if !s.cluster {
		return s.conn.Ping(ctx)
	}
	var rows uint64 // of a small table; its shards know the number without reading them
	return s.conn.QueryRow(ctx, "SELECT count() FROM product_rows").Scan(&rows)
}

// Conn is the connection to the sink's database, for SQL that people write.
func (s *Sink) Conn() driver.Conn { return s.conn }

// options are the driver's options for a connection to the database.
func (c Config) options(database string) *clickhouse.Options {
	o := &clickhouse.Options{
		Addr:         c.Addr,
		Auth:         clickhouse.Auth{Database: database, Username: c.Username, Password: c.Password},
		Compression:  &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		DialTimeout:  c.DialTimeout,
		MaxOpenConns: maxConnections + spareConnections,
		MaxIdleConns: 4,
		ClientInfo: clickhouse.ClientInfo{Products: []struct{ Name, Version string }{
			{Name: "ordersync", Version: "1"},
		}},
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = DefaultDialTimeout
	}
	if c.local() {
		o.Compression = nil
	}
	o.Settings = schema.ConnectionSettings(c.Settings())
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Secure {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	o.DialStrategy, o.DialContext = dialStrategy, c.dialContext(o.DialTimeout, o.TLS)
	return o
}

// local reports whether the server is on this machine: to compress what it is sent, and sends, would only take time.
func (c Config) local() bool {
	return !slices.ContainsFunc(c.Addr, func(addr string) bool {
		at, err := netip.ParseAddrPort(addr)
		return err != nil || !at.Addr().IsLoopback()
	})
}

// Settings are those of every connection, whatever its protocol; nil for those of the server.
func (c Config) Settings() clickhouse.Settings {
	if c.Cluster == "" {
		return nil
	}
	return clusterSettings
}

// quoteIdentifier makes a name safe inside SQL.
func quoteIdentifier(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}
