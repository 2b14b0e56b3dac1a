// Package sinktest gives tests a real ClickHouse: one server per test process, one database per test.
//
//	func TestMain(m *testing.M) { sinktest.Main(m) }
//
//	func TestX(t *testing.T) {
//		t.Parallel()
//		addr, database := sinktest.Database(t)
//		…
//	}
//
// The environment variable ORDERSYNC_TEST_CLICKHOUSE chooses the server: unset or "require" means the embedded one, and
// tests fail if it can not be had; "addr:host:port" means a server of one's own; "skip" skips the tests that need one.
// There is no silent skipping: a test that did not run must not look like one that passed.
package sinktest

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/sink/embedded"
)

// Variable chooses the server of the tests.
const Variable = "ORDERSYNC_TEST_CLICKHOUSE"

// settings spare the tests what pays only with many rows: a query is compiled to machine code when it comes for the
// third time, which costs more than all queries of a test.
var settings = map[string]string{
	"compile_expressions": "0", "compile_aggregate_expressions": "0", "compile_sort_description": "0",
	"fsync_metadata": "0", // nor is anything to outlive the machine
}

// Slow skips a test that takes too long for every day, and says why. Its name says so, too: see .ci/run.
func Slow(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("ORDERSYNC_SLOW") == "" {
		t.Skip(why + "; ORDERSYNC_SLOW=1 runs it")
	}
}

// Main is the body of TestMain: it runs the tests, stops the server that they shared and exits. Temporary folders are in
// memory where there is room: ClickHouse makes a dozen files for each insert. Benchmarks have a server as everybody has.
func Main(m *testing.M) {
	embedded.Main()
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() != "" {
		settings = nil
		os.Exit(run(m))
	}
	leave, err := intoMemory()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sinktest:", err)
		os.Exit(1)
	}
	code := run(m)
	if err := leave(); err != nil {
		fmt.Fprintln(os.Stderr, "sinktest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run runs the tests and stops the servers that they shared.
func run(m *testing.M) (code int) {
	code = m.Run()
	if err := errors.Join(shared.stop(), sharedPair.stop()); err != nil {
		fmt.Fprintln(os.Stderr, "sinktest:", err)
		code = max(code, 1)
	}
	return code
}

// intoMemory makes the folder for temporary files one in memory, unless somebody has chosen another; the function that it
// gives removes it.
func intoMemory() (leave func() error, err error) {
	memory := memory()
	if memory == "" || os.Getenv("TMPDIR") != "" {
		return func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp(memory, "ordersync-test-")
	if err != nil {
		return nil, err
	}
	return func() error { return os.RemoveAll(dir) }, os.Setenv("TMPDIR", dir)
}

// Server is the embedded server of this test process, started by the first test that asks. Tests must not stop it.
func Server(t testing.TB) *embedded.Server {
	t.Helper()
	needEmbedded(t)
	s, err := shared.start()
	if err != nil {
		t.Fatalf("%v\n(%s=addr:host:port runs the tests on another server, skip leaves them out)", err, Variable)
	}
	return s
}

// Database makes an empty database for one test and drops it at the end of the test.
func Database(t testing.TB) (addr, database string) {
	t.Helper()
	if addr = chosen(t); addr == "" {
		addr = Server(t).Addr()
	}
	database = databaseName(t.Name())
	makeDatabase(t, addr, database)
	return addr, database
}

// makeDatabase makes a database on a server, and empties it at the end of the test; on a server of one's own it is dropped. A
// connection that a test has just given up may still be on its way, and the engine ends when it fails to tell such a one that
// there is no database of that name.
func makeDatabase(t testing.TB, addr, database string) {
	t.Helper()
	conn, err := open(addr, "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), "CREATE DATABASE "+database); err != nil {
		_ = conn.Close()
		t.Fatalf("make a database for the test on %s: %v", addr, err)
	}
	t.Cleanup(func() {
		defer conn.Close()
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		end := "TRUNCATE DATABASE "
		if chosen(t) != "" {
			end = "DROP DATABASE "
		}
		if err := conn.Exec(ctx, end+database+" SYNC"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
}

// Conn connects to a database of the tests' server and closes the connection at the end of the test.
func Conn(t testing.TB, database string) driver.Conn {
	t.Helper()
	addr := chosen(t)
	if addr == "" {
		addr = Server(t).Addr()
	}
	conn, err := open(addr, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func open(addr, database string) (driver.Conn, error) {
	return clickhouse.Open(&clickhouse.Options{Addr: []string{addr}, Auth: clickhouse.Auth{Database: database}})
}

// chosen returns the address of a server of one's own, or "" for the embedded one.
func chosen(t testing.TB) string {
	t.Helper()
	value := os.Getenv(Variable)
	addr, own := strings.CutPrefix(value, "addr:")
	switch {
	case own && addr != "":
		return addr
	case value == "" || value == "require":
		return ""
	case value == "skip":
		t.Skip(Variable + "=skip")
	default:
		t.Fatalf("%s=%q: want require, skip or addr:host:port", Variable, value)
	}
	return ""
}

// databaseName tells whose database it is, and is unique also on a server that several test processes share.
func databaseName(test string) string {
	const longest = 60 // it becomes a file name, with more around it
	name := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return '_'
	}, test)
	return name[:min(len(name), longest)] + "_" + strings.ToLower(rand.Text()[:12])
}

// shared is the server of this test process.
var shared process

type process struct {
	once   sync.Once
	dir    string
	server *embedded.Server
	err    error
}

func (p *process) start() (*embedded.Server, error) {
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "sinktest-"); p.err != nil {
			return
		}
		// Not bound to the context of the first test: all tests share the server.
		p.server, p.err = embedded.Open(context.Background(), embedded.Options{
			Dir:      filepath.Join(p.dir, "clickhouse"),
			Open:     true,
			Settings: settings,
			Progress: announce(),
			// A server that dies under a test is a finding: its last words belong into the test's output.
			Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		})
	})
	return p.server, p.err
}

// announce says once what a first run waits for.
func announce() func(stage string, done, total int64) {
	var said sync.Map
	return func(stage string, _, total int64) {
		if _, before := said.LoadOrStore(stage, true); !before {
			fmt.Fprintf(os.Stderr, "sinktest: %s the embedded ClickHouse, %d MB, once\n", stage, total/1e6)
		}
	}
}

func (p *process) stop() error {
	var err error
	if p.server != nil {
		err = p.server.Close()
	}
	if p.dir != "" {
		if e := os.RemoveAll(p.dir); err == nil {
			err = e
		}
	}
	return err
}
