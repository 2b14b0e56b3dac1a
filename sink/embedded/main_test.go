//go:build linux || darwin

package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.uber.org/goleak"
)

// holdEnv makes the test binary open the folder it names, say so on standard output, and hold it until its standard
// input ends: a second process of ours, to be closed or killed.
const holdEnv = "EMBEDDED_TEST_HOLD"

func TestMain(m *testing.M) {
	Main()
	if dir := os.Getenv(holdEnv); dir != "" {
		os.Exit(hold(dir))
	}
	goleak.VerifyTestMain(m)
}

// held is what a holder says about itself.
type held struct {
	Addr, HTTP string
	Owner      bool
	Pid        int
}

func hold(dir string) int {
	s, err := Open(context.Background(), Options{Dir: dir, Database: "shop"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_ = json.NewEncoder(os.Stdout).Encode(held{s.Addr(), s.HTTPAddr(), s.Owner(), s.Pid()})
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = s.Close()
	return 0
}

// startHolder runs another process that opens the folder.
func startHolder(t *testing.T, dir string) (held, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	check(t, err)
	var h held
	check(t, json.Unmarshal(line, &h))
	return h, cmd
}

// openDir opens a folder and closes it at the end of the test.
func openDir(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir, Database: "shop", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newDir names a data folder for a server, for a test that is left out where package sinktest is told to skip.
func newDir(t *testing.T) string {
	t.Helper()
	if os.Getenv("ORDERSYNC_TEST_CLICKHOUSE") == "skip" {
		t.Skip("ORDERSYNC_TEST_CLICKHOUSE=skip")
	}
	return filepath.Join(t.TempDir(), "data")
}

func connect(t *testing.T, s *Server) driver.Conn {
	t.Helper()
	l := s.Login(Owner)
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{s.Addr()},
		Auth: clickhouse.Auth{Database: "system", Username: l.Username, Password: l.Password}})
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// fill makes a table with rows that must survive whatever follows.
func fill(t *testing.T, conn driver.Conn) {
	t.Helper()
	for _, q := range []string{
		"CREATE DATABASE IF NOT EXISTS shop",
		"CREATE TABLE shop.orders (id UInt64, paid DateTime) ENGINE = MergeTree ORDER BY id",
		"INSERT INTO shop.orders SELECT number, '2024-05-01 12:00:00' FROM numbers(1000)",
	} {
		check(t, conn.Exec(t.Context(), q))
	}
}

// rows counts them, or returns -1 while the server is away.
func rows(t *testing.T, conn driver.Conn) int {
	var n uint64
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM shop.orders").Scan(&n); err != nil {
		return -1
	}
	return int(n)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		check(t, pause(t.Context(), 20*time.Millisecond))
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
