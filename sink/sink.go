package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// Config says which ClickHouse to use and how.
type Config struct {
	Addr     []string // host:port of the native protocol; several are tried in order
	Database string   // created where it does not exist
	Username string
	Password string
	Secure   bool // TLS, verified against the system's certificates
	Local    bool // the server is on this machine: compressing what it is sent, and sends, would only take time

	// Cluster is the name of a cluster of the server's configuration: its servers hold the rows together, see
	// schema.Cluster. Empty = one server.
	Cluster string
	// EachNode creates the tables of a Cluster on each of Addr by itself and without replication, which needs no Keeper.
	// Addr must name all servers then. It serves tests on the embedded server; nothing in the configuration sets it.
	EachNode bool

	// MaxElapsedTime bounds the retries of one block; DefaultMaxElapsedTime where zero.
	MaxElapsedTime time.Duration
	// DialTimeout bounds the making of a connection; DefaultDialTimeout where zero.
	DialTimeout time.Duration
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

// Open connects, creates the database where it is missing, and brings its tables up to date. It does not wait for a
// server that is down: the error says at once what is wrong and what to do.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	for _, node := range cfg.nodes() {
		if err := createDatabase(ctx, node); err != nil {
			return nil, err
		}
		if err := migrate(ctx, node); err != nil {
			return nil, connectError(node, "create the tables", err)
		}
	}
	return cfg.connect(ctx)
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
	return nil
}

// connect makes the sink and asks the server for a sign of life.
func (c Config) connect(ctx context.Context) (*Sink, error) {
	conn, err := clickhouse.Open(c.options(c.Database))
	if err != nil {
		return nil, connectError(c, "connect", err)
	}
	s := &Sink{
		conn:     conn,
		database: c.Database,
		cluster:  c.Cluster != "",
		retry:    retryPolicy{maxElapsed: c.MaxElapsedTime, log: c.Log, observer: c.Observer},
		observer: c.Observer,
	}
	if err := s.ping(ctx); err != nil {
		return nil, errors.Join(connectError(c, "connect", err), conn.Close())
	}
	return s, nil
}

// Close ends all connections. The sink cannot be used afterwards.
func (s *Sink) Close() error { return s.conn.Close() }

// Ping asks the server for a sign of life, and through it each shard of a cluster.
func (s *Sink) Ping(ctx context.Context) error { return withRemedy(s.ping(ctx)) }

func (s *Sink) ping(ctx context.Context) error {
	if !s.cluster {
		return s.conn.Ping(ctx)
	}
	var rows uint64 // of a small table; its shards know the number without reading them
	return s.conn.QueryRow(ctx, "SELECT count() FROM product_rows").Scan(&rows)
}

// Conn is the connection to the sink's database, for SQL that people write.
func (s *Sink) Conn() driver.Conn { return s.conn }

// createDatabase creates the database where it is missing. It connects without naming it, since the server refuses one
// that does not exist.
func createDatabase(ctx context.Context, cfg Config) (err error) {
	conn, err := clickhouse.Open(cfg.options(""))
	if err != nil {
		return connectError(cfg, "connect", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.Ping(ctx); err != nil {
		return connectError(cfg, "connect", err)
	}
	prepared, err := checkLayout(ctx, cfg, conn)
	if err != nil {
		return connectError(cfg, "look at database "+cfg.Database, err)
	}
	if prepared {
		return nil
	}
	for _, statement := range cfg.prepare() {
		if err := conn.Exec(ctx, statement); err != nil {
			return connectError(cfg, "create the database "+cfg.Database, err)
		}
	}
	return nil
}

// options are the driver's options for a connection to the database.
func (c Config) options(database string) *clickhouse.Options {
	o := &clickhouse.Options{
		Addr:         c.Addr,
		Auth:         clickhouse.Auth{Database: database, Username: c.Username, Password: c.Password},
		Compression:  &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		DialTimeout:  c.DialTimeout,
		MaxOpenConns: 8,
		MaxIdleConns: 4,
		ClientInfo: clickhouse.ClientInfo{Products: []struct{ Name, Version string }{
			{Name: "ordersync", Version: "1"},
		}},
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = DefaultDialTimeout
	}
	if c.Local {
		o.Compression = nil
	}
	if c.Cluster != "" {
		o.Settings = clusterSettings
	}
	if c.Secure {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o
}

// quoteIdentifier makes a name safe inside SQL.
func quoteIdentifier(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}
