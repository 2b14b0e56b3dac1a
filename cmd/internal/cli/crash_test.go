package cli_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
)

// The crash campaign kills the program, its ClickHouse, or both with SIGKILL, again and again, at points that it chooses
// by what it sees happen: the n-th call to the vendor, the n-th insert and how far that is, a ledger row that appears.
// Meanwhile somebody reads (see watcher), and in the end the copy must be equal to the truth (I7, I9).

// kills is how many a test makes: a few every day, many in the slow suite.
func kills(few, many int) int {
	if os.Getenv("ORDERSYNC_SLOW") != "" {
		return many
	}
	return few
}

func TestCrashBackfillOwnServer(t *testing.T) {
	t.Parallel()
	crashes(t, 1, kills(2, 42), (*crash).backfill, (*crash).useServer)
}

func TestCrashBackfillEmbedded(t *testing.T) {
	t.Parallel()
	crashes(t, 2, kills(2, 26), (*crash).backfill, (*crash).useEmbedded)
}

func TestCrashRunOwnServer(t *testing.T) {
	t.Parallel()
	crashes(t, 3, kills(2, 40), (*crash).run, (*crash).useServer)
}

func TestCrashRunEmbedded(t *testing.T) {
	t.Parallel()
	crashes(t, 4, kills(1, 20), (*crash).run, (*crash).useEmbedded)
}

// crash is one round: an account, a warehouse, and a program that is killed until the round's work is done.
type crash struct {
	*world
	rng     *rand.Rand
	kills   int // made
	want    int
	calls   int            // a kill comes after so many calls at most
	causes  map[string]int // of the kills
	watch   *watcher
	trigger atomic.Pointer[trigger]

	server *embedded.Server // nil where the program runs its own
	tap    *tap
	folder string // of the program's own server
}

// crashes makes rounds until enough was killed.
func crashes(t *testing.T, seed uint64, want int, work, warehouse func(*crash)) {
	t.Helper()
	for round := uint64(0); want > 0 && !t.Failed(); round++ {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			c := newCrash(t, seed<<32|round, want)
			warehouse(c)
			start := time.Now()
			work(c)
			t.Logf("%d kills %v in %s, %d looks at the tables", c.kills, c.causes, time.Since(start).Round(time.Millisecond), c.watch.looks.Load())
			want -= c.kills
		})
	}
}

func newCrash(t *testing.T, seed uint64, want int) *crash {
	c := &crash{rng: rand.New(rand.NewPCG(seed, 0)), want: want, causes: map[string]int{}}
	c.world = newWorldWith(t, simulator.Options{Seed: seed, Orders: kills(1000, 3000), Latency: simulator.Latency{Jitter: 8 * time.Millisecond}})
	c.account.SetFault(func(simulator.FaultRequest) simulator.Action {
		c.trigger.Load().called()
		return simulator.Action{}
	})
	return c
}

// database of every round: each has a server of its own.
const crashDatabase = "crash"

func (c *crash) configureWith(warehouse string) {
	c.t.Helper()
	c.write("ordersync.yaml", fmt.Sprintf(`accounts:
  - name: main
    source: bss
    endpoint: %s
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
    quota: {list: 5000, detail: 5000}
    page_size: 100
clickhouse: {%s, database: %s}
schedule: {cron: "@every 1s"}
http: {listen: "127.0.0.1:0"}
log: {level: info, format: json}
`, c.url, warehouse, crashDatabase))
}

// useServer returns the program a server of the test's, behind a tap, so that either can be killed alone.
func (c *crash) useServer() {
	c.t.Helper()
	server, err := embedded.Open(c.t.Context(), embedded.Options{Dir: filepath.Join(c.t.TempDir(), "server"), Database: crashDatabase, Open: true})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = server.Close() })
	c.server = server
	c.tap = newTap(c.t, server.Addr(), func(insert, replies int) { c.trigger.Load().inserted(insert, replies) })
	c.configureWith(fmt.Sprintf("addr: [%q]", c.tap.addr))
	c.watch = newWatcher(c.t, &c.trigger, func() (string, clickhouse.Auth, error) { return server.Addr(), clickhouse.Auth{}, nil })
}

// useEmbedded lets the program run its own server, which ends with it.
func (c *crash) useEmbedded() {
	c.t.Helper()
	c.folder = filepath.Join(c.dir, "warehouse")
	c.configureWith("embedded: ./warehouse")
	c.watch = newWatcher(c.t, &c.trigger, func() (string, clickhouse.Auth, error) {
		address, err := os.ReadFile(filepath.Join(c.folder, "address.json"))
		if err != nil {
			return "", clickhouse.Auth{}, err
		}
		passwords, err := os.ReadFile(filepath.Join(c.folder, "passwords.json"))
		if err != nil {
			return "", clickhouse.Auth{}, err
		}
		return decode[struct{ Native string }](c.t, string(address)).Native, clickhouse.Auth{
			Username: embedded.Owner, Password: decode[map[string]string](c.t, string(passwords))[embedded.Owner],
		}, nil
	})
}

// begin starts the program with a kill prepared, and returns what fires then.
func (c *crash) begin(args ...string) (*process, *trigger) {
	c.t.Helper()
	c.tap.reset()
	f := &trigger{ready: make(chan struct{}), fired: make(chan struct{})}
	switch kind := c.rng.IntN(3); {
	case kind == 0:
		f.what, f.calls = "call", int64(1+c.rng.IntN(c.calls))
	case kind == 1 && c.tap != nil:
		f.what, f.insert, f.replies = "insert", 1+c.rng.IntN(16), c.rng.IntN(3)
	default:
		f.what, f.writes = "ledger", int64(1+c.rng.IntN(4))
	}
	target := c.rng.IntN(3)
	c.trigger.Store(f)
	p := c.launch(args...)
	f.kill = func() {
		program, server := p.cmd.Process.Pid, 0
		if c.server != nil {
			server = c.server.Pid()
		} else {
			server = childOf(program)
		}
		if target > 0 && server > 0 { // a server that is just being started again has been killed enough
			_ = syscall.Kill(server, syscall.SIGKILL)
		}
		if f.survived = target == 2 && server > 0; !f.survived {
			_ = syscall.Kill(program, syscall.SIGKILL)
		}
	}
	close(f.ready)
	return p, f
}

// launch starts a program that commits often, so that there are many points at which it has committed a part.
func (c *crash) launch(args ...string) *process {
	c.t.Helper()
	cmd := c.command(args...)
	cmd.Env = append(cmd.Env, flushVariable+"=5ms")
	return c.startCommand(cmd)
}

// count counts a kill that was made.
func (c *crash) count(f *trigger) {
	if f.happened() {
		c.kills++
		c.causes[f.cause]++
	}
}

// patience is how long a prepared kill may take; then it comes at whatever moment that is.
const patience = 4 * time.Second

// backfill fills the account's range, and starts again after every death, until a run says that all is there.
func (c *crash) backfill() {
	from := c.account.Options().From.Add(-time.Hour).UTC().Format(time.RFC3339)
	c.calls = 600
	for try := 0; ; try++ {
		if try > c.want+10 {
			c.t.Fatal("the backfill does not come to an end")
		}
		c.awaitServer()
		var p *process
		if c.kills < c.want {
			var f *trigger
			p, f = c.begin("backfill", "--from", from)
			var waiting sync.WaitGroup
			ended := make(chan struct{})
			waiting.Go(func() { // ends with the kill, or with the program
				select {
				case <-ended:
				case <-f.fired:
				case <-time.After(patience):
					f.hurry()
				}
			})
			code := p.exit()
			close(ended)
			waiting.Wait()
			f.disarm()
			c.count(f)
			if code == 0 {
				break
			}
			continue
		}
		c.trigger.Store(nil)
		if p = c.launch("backfill", "--from", from); p.exit() == 0 {
			break
		}
	}
	c.trigger.Store(nil)
	c.equal()
}

// run keeps the daemon running while orders are placed, paid and changed.
func (c *crash) run() {
	c.calls = 80 // about four scheduled runs
	ctx, stop := context.WithCancel(c.t.Context())
	var living sync.WaitGroup
	account := simulator.NewLiving(c.account, c.rng.Uint64())
	living.Go(func() { account.Run(ctx, 100*time.Millisecond) })
	for c.kills < c.want && !c.t.Failed() {
		c.awaitServer()
		p, f := c.begin("run")
		select {
		case <-f.fired:
		case <-time.After(patience):
			f.hurry()
		}
		c.count(f)
		if f.survived { // only its server was killed: the daemon goes on by itself, but for one that was just opening it
			p.ticks()
			_ = p.cmd.Process.Kill()
		}
		p.exit()
	}
	stop()
	living.Wait()
	c.trigger.Store(nil)
	c.awaitServer()
	p := c.start("run")
	p.wait(`"msg":"tick"`)
	p.wait(`"msg":"tick"`)
	c.watch.look() // while its server is there
	p.signal(syscall.SIGTERM)
	p.end(0)
	c.equal()
}

// ticks waits for a scheduled run that left nothing undone, or for the end of the program.
func (p *process) ticks() {
	for line := range p.lines {
		p.seen = append(p.seen, line)
		if strings.Contains(line, `"msg":"tick"`) {
			return
		}
	}
}

// awaitServer waits for a server that was killed to be there again: without it the program ends at once, which is no
// crash.
func (c *crash) awaitServer() {
	c.t.Helper()
	if c.server == nil {
		return
	}
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{c.server.Addr()}, DialTimeout: time.Second})
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(30 * time.Second); conn.Ping(c.t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal("the server did not come back")
		}
	}
}

// equal compares the warehouse with the truth.
func (c *crash) equal() {
	c.t.Helper()
	c.watch.stop()
	c.awaitServer()
	server := c.server
	if server == nil {
		var err error
		if server, err = embedded.Open(c.t.Context(), embedded.Options{Dir: c.folder, Database: crashDatabase}); err != nil {
			c.t.Fatal(err)
		}
		defer server.Close()
	}
	login := server.Login(embedded.Owner)
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{server.Addr()}, Auth: clickhouse.Auth{Database: crashDatabase, Username: login.Username, Password: login.Password},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	ctx := context.WithoutCancel(c.t.Context())
	from, to := c.account.Options().From, time.Now().Add(time.Hour)
	diff, err := compare.Warehouse(ctx, conn, "main", from, to, c.account.Truth(from, to))
	if err != nil || len(diff) > 0 {
		c.t.Errorf("after %d kills: %v\n%s", c.kills, err, strings.Join(diff, "\n"))
	}
	for what, query := range map[string]string{
		"windows that do not hold what was recorded": "SELECT countIf(NOT agrees) FROM window_audit",
		"windows of an unknown verdict":              "SELECT countIf(verdict NOT IN ('complete', 'open')) FROM sync_windows",
		"states of an order that are there twice":    "SELECT count() - uniqExact(account, order_id, valid_from) FROM order_history",
		"orders with not exactly one present state":  "SELECT countIf(n != 1) FROM (SELECT countIf(valid_to IS NULL) AS n FROM order_history GROUP BY order_id)",
		"orders without their items":                 "SELECT countIf(detail_status != 'ok') FROM orders",
	} {
		if n, err := ask(ctx, conn, query); err != nil || n != 0 {
			c.t.Errorf("after %d kills: %d %s, %v", c.kills, n, what, err)
		}
	}
}

func ask(ctx context.Context, conn driver.Conn, query string) (n int64, err error) {
	err = conn.QueryRow(ctx, "SELECT toInt64(("+query+"))").Scan(&n)
	return n, err
}
