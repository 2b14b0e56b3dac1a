package sinktest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/sink/embedded"
)

// The clusters that two servers form: both names are in the configuration of both.
const (
	TwoShards   = "two_shards"   // each server is a shard
	TwoReplicas = "two_replicas" // each server is a replica of one shard; nothing replicates, so they differ for good
)

// Nodes are two servers that form a cluster, and an empty database on both for one test. The embedded engine has no
// Keeper, hence neither ON CLUSTER nor replication.
type Nodes struct {
	Database string
	pair     *pair
}

// Cluster makes an empty database on both servers of a cluster that the tests of this process share, and drops it at the
// end of the test.
func Cluster(t testing.TB) *Nodes {
	t.Helper()
	needEmbedded(t)
	sharedPair.once.Do(func() { sharedPair.err = sharedPair.start() })
	if sharedPair.err != nil {
		t.Fatal(sharedPair.err)
	}
	return sharedPair.database(t)
}

// OwnCluster is a Cluster that no other test uses: its servers may be stopped.
func OwnCluster(t testing.TB) *Nodes {
	t.Helper()
	needEmbedded(t)
	p := &pair{}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	return p.database(t)
}

// Addr is the native address of a server, 0 or 1.
func (n *Nodes) Addr(node int) string { return n.pair.nodes[node].Addr() }

// Addrs are the native addresses of both servers, beginning with the given one.
func (n *Nodes) Addrs(first int) []string { return []string{n.Addr(first), n.Addr(1 - first)} }

// Conn connects to the database of a server, and closes the connection at the end of the test.
func (n *Nodes) Conn(t testing.TB, node int) driver.Conn {
	t.Helper()
	conn, err := open(n.Addr(node), n.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Stop stops a server.
func (n *Nodes) Stop(t testing.TB, node int) {
	t.Helper()
	if n.pair == &sharedPair {
		t.Fatal("the servers of a Cluster are shared: use OwnCluster")
	}
	if err := n.pair.nodes[node].Close(); err != nil {
		t.Fatal(err)
	}
}

// Start starts a server that was stopped.
func (n *Nodes) Start(t testing.TB, node int) {
	t.Helper()
	if err := n.pair.open(node); err != nil {
		t.Fatal(err)
	}
}

// needEmbedded skips a test, or fails it, where the embedded server is not to be used.
func needEmbedded(t testing.TB) {
	t.Helper()
	if addr := chosen(t); addr != "" {
		t.Skipf("%s=addr:%s: this test needs the embedded server", Variable, addr)
	}
}

// pair is two servers, each of which knows the other.
type pair struct {
	once  sync.Once
	err   error
	dir   string
	ports [4]int // of each server: native, HTTP
	nodes [2]*embedded.Server
}

// sharedPair is the cluster of this test process.
var sharedPair pair

func (p *pair) start() (err error) {
	if p.dir, err = os.MkdirTemp("", "sinktest-cluster-"); err != nil {
		return err
	}
	// A server must know the other's port before either runs, so ports cannot be left to the servers. Between choosing
	// one and listening on it, anybody may take it: then others are tried.
	for range 5 {
		if p.ports, err = freePorts(); err != nil {
			return err
		}
		for node := range p.nodes {
			if err = p.configure(node); err != nil {
				return err
			}
			if err = p.open(node); err != nil {
				break
			}
		}
		if err == nil {
			return nil
		}
		if e := p.close(); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}

// configure writes what makes a server a part of the clusters.
func (p *pair) configure(node int) error {
	replica := func(node int) string {
		return fmt.Sprintf("<replica><host>127.0.0.1</host><port>%d</port></replica>", p.ports[2*node])
	}
	const internal = "<internal_replication>true</internal_replication>"
	text := fmt.Sprintf(`<clickhouse>
<macros><shard>%d</shard><replica>1</replica></macros>
<remote_servers>
<%[2]s><shard>%[4]s%[5]s</shard><shard>%[4]s%[6]s</shard></%[2]s>
<%[3]s><shard>%[4]s%[5]s%[6]s</shard></%[3]s>
</remote_servers>
</clickhouse>
`, node+1, TwoShards, TwoReplicas, internal, replica(0), replica(1))
	return os.WriteFile(p.path(node, ".xml"), []byte(text), 0o600)
}

func (p *pair) path(node int, suffix string) string {
	return filepath.Join(p.dir, fmt.Sprintf("node%d%s", node, suffix))
}

// open starts a server on its ports.
func (p *pair) open(node int) (err error) {
	// Not bound to the context of a test: tests may share the servers.
	p.nodes[node], err = embedded.Open(context.Background(), embedded.Options{
		Dir: p.path(node, ""), ConfigFile: p.path(node, ".xml"), NativePort: p.ports[2*node], HTTPPort: p.ports[2*node+1],
		Open: true, Settings: settings, Progress: announce(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	return err
}

func (p *pair) close() error {
	var err error
	for _, s := range p.nodes {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

func (p *pair) stop() error {
	err := p.close()
	if p.dir != "" {
		err = errors.Join(err, os.RemoveAll(p.dir))
	}
	return err
}

// database makes a database of one name on both servers.
func (p *pair) database(t testing.TB) *Nodes {
	t.Helper()
	n := &Nodes{Database: databaseName(t.Name()), pair: p}
	for node := range p.nodes {
		makeDatabase(t, n.Addr(node), n.Database)
	}
	return n
}

// freePorts finds ports below the range from which kernels take those of outgoing connections: in that range a client
// that dials while a server is away can be given the very port it dials.
func freePorts() (ports [4]int, err error) {
	const first, last = 15000, 32000
	var held [len(ports)]net.Listener
	for i := range ports {
		for held[i] == nil {
			held[i], err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first)))
		}
		ports[i] = held[i].Addr().(*net.TCPAddr).Port
	}
	for _, l := range held {
		err = errors.Join(err, l.Close())
	}
	return ports, err
}
