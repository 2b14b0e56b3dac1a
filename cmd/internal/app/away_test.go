package app_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
)

// proxy is a way to ClickHouse that can be cut, and that asks for a password where one is set: the embedded server has none.
type proxy struct {
	password string
	to       string
	addr     string
	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	done     sync.WaitGroup
}

func newProxy(t *testing.T, to, password string) *proxy {
	t.Helper()
	p := &proxy{password: password, to: to, addr: "127.0.0.1:0"}
	p.open(t)
	t.Cleanup(p.cut)
	return p
}

func (p *proxy) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	p.addr, p.listener = l.Addr().String(), l
	p.done.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", p.to)
			if err != nil {
				in.Close()
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			p.done.Go(func() { _, _ = io.Copy(in, out); in.Close() })
			p.done.Go(func() { p.forward(out, in); out.Close() })
		}
	})
}

// forward takes the password off a client's first packet, which has it after its length. Without it the server is not asked.
func (p *proxy) forward(out io.Writer, in io.Reader) {
	if p.password != "" {
		hello := make([]byte, 4096)
		n, err := in.Read(hello)
		before, after, found := bytes.Cut(hello[:n], append([]byte{byte(len(p.password))}, p.password...))
		if err != nil || !found {
			return
		}
		if _, err := out.Write(slices.Concat(before, []byte{0}, after)); err != nil {
			return
		}
	}
	_, _ = io.Copy(out, in)
}

func (p *proxy) cut() {
	p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.done.Wait()
}

const (
	away      = "the warehouse does not answer; trying again at every scheduled run"
	stillAway = "the warehouse still does not answer"
)

func TestWarehouseAwayAndBack(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	way := newProxy(t, cfg.ClickHouse.Addr[0], "")
	cfg.ClickHouse.Addr = []string{way.addr}
	cfg.Schedule.Scrub, cfg.Schedule.ScrubDetails = 0, 0 // what follows a run would be under way when the warehouse goes
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Between two runs: a row that is on its way would be tried again for two minutes.
	log.wait(t, agreed, 1)
	// The second run is one after which nothing is read any more of how old the past is.
	log.wait(t, "the run is done", log.count("the run is done")+2)
	way.cut()
	log.wait(t, away, 1)
	if got := get(t, a.URL()+"/readyz"); !strings.Contains(got, "does not answer") {
		t.Errorf("readyz: %s", got)
	}
	log.wait(t, stillAway, 1) // the line is written before the metric
	if got := get(t, a.URL()+"/metrics"); !strings.Contains(got, "\nordersync_warehouse_up 0\n") {
		t.Errorf("the metrics do not tell that the warehouse is away:\n%s", got)
	}
	// More runs go by: nothing more is said, and the vendor is not asked for what could not be stored.
	calls := account.Calls()["QueryOrders"].Total
	log.wait(t, stillAway, 3)
	if n := log.count(away); n != 1 {
		t.Errorf("said %d times", n)
	}
	if now := account.Calls()["QueryOrders"].Total; now != calls {
		t.Errorf("%d calls while the warehouse was away", now-calls)
	}
	way.open(t)
	log.wait(t, "the warehouse answers again", 1)
	if got := get(t, a.URL()+"/metrics"); !strings.Contains(got, "\nordersync_warehouse_up 1\n") {
		t.Errorf("the metrics do not tell that the warehouse is back:\n%s", got)
	}
}

// The warehouse is restarted in the middle of a backfill, more than once: the backfill goes on and loses nothing.
func TestBackfillSurvivesARestartOfTheWarehouse(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	from := now.Add(-12 * 24 * time.Hour)
	account, cfg := vendor(t, func(o *simulator.Options) { o.Orders, o.From, o.To = 600, from, now })
	cfg.Accounts[0].Quota = config.Quota{List: 100, Detail: 100} // so that it takes a while
	way := newProxy(t, cfg.ClickHouse.Addr[0], "")
	cfg.ClickHouse.Addr = []string{way.addr}
	log := newLines()
	a, err := app.New(app.Options{Config: cfg, Log: log.logger(), FlushEvery: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop()
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	restart := make(chan struct{}, 10)
	account.SetFault(func(simulator.FaultRequest) simulator.Action {
		if calls.Add(1)%150 == 20 {
			restart <- struct{}{}
		}
		return simulator.Action{}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		s, err := a.Backfill(t.Context(), now, from, now, false, nil)
		if err = errors.Join(err, s.Err()); err != nil {
			t.Error(err)
		}
	}()
	retries := func() int { return log.count("read failed, trying again") + log.count("insert failed, trying again") }
	restarts := 0
	for over := false; !over; {
		select {
		case <-restart:
			restarts++
			before := retries()
			way.cut()
			for waiting := true; waiting && retries() == before; { // until that was noticed
				select {
				case <-log.changed:
				case <-done:
					waiting = false
				}
			}
			way.open(t)
		case <-done:
			over = true
		}
	}
	if n := retries(); restarts < 2 || n == 0 {
		t.Errorf("%d restarts, tried again %d times", restarts, n)
	}
	var stored uint64
	if err := sinktest.Conn(t, cfg.ClickHouse.Database).QueryRow(t.Context(), "SELECT count() FROM orders").Scan(&stored); err != nil || stored != 600 {
		t.Errorf("%d orders are stored, %v", stored, err)
	}
}

// A vendor that takes calls and answers none is told of before the calls time out.
func TestVendorThatDoesNotAnswerIsTold(t *testing.T) {
	t.Parallel()
	account, cfg := vendor(t)
	account.SetFault(func(simulator.FaultRequest) simulator.Action { return simulator.Action{Hang: true} })
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "something is wrong", 1)
	log.mu.Lock()
	defer log.mu.Unlock()
	for _, line := range log.all {
		if line["msg"] == "something is wrong" && (line["error"] != "the vendor does not answer" || line["account"] != "main" || line["api"] != "list") {
			t.Errorf("%v", line)
		}
	}
}
