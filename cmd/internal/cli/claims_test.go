package cli_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
)

// sharedOrders is how many orders the worlds of these tests have, over six days.
const sharedOrders = 1200

// newSharedWorld is a world on which several programs work, slowly enough that they meet.
func newSharedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorldWith(t, simulator.Options{Orders: sharedOrders, From: time.Now().Add(-6 * 24 * time.Hour)})
	w.configure("detail: 1000", "detail: 300")
	return w
}

// fetchedOnce checks that no order was fetched twice but some per cent, and that the copy is exact.
func (w *world) fetchedOnce(percent int) {
	w.t.Helper()
	if n := w.account.Calls()["GetOrderDetail"].Total; n > sharedOrders*(100+percent)/100 {
		w.t.Errorf("%d detail calls for %d orders", n, sharedOrders)
	}
	w.exact()
}

// exact compares the warehouse with the truth.
func (w *world) exact() {
	w.t.Helper()
	conn := sinktest.Conn(w.t, w.database)
	from, to := w.account.Options().From, time.Now().Add(time.Hour)
	diff, err := compare.Warehouse(w.t.Context(), conn, "main", from, to, w.account.Truth(from, to))
	if err != nil || len(diff) > 0 {
		w.t.Errorf("%v\n%s", err, strings.Join(diff, "\n"))
	}
	if n, err := ask(w.t.Context(), conn, "SELECT countIf(verdict NOT IN ('complete', 'open')) + countIf(NOT agrees) FROM window_audit"); err != nil || n != 0 {
		w.t.Errorf("%d windows are not whole, %v", n, err)
	}
}

func TestTwoBackfillsOfOneRange(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"new":            {"backfill", "--from", "-7d"},
		"within a day":   {"backfill", "--from", "-20h"},
		"walked already": {"backfill", "--from", "-7d", "--force"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSharedWorld(t)
			var both sync.WaitGroup
			waited := make([]string, 2)
			for i := range 2 {
				p := w.start(args...)
				both.Go(func() { waited[i] = p.end(0) })
			}
			both.Wait()
			if n := w.account.Calls()["GetOrderDetail"].Total; n > sharedOrders*105/100 {
				t.Errorf("%d detail calls for %d orders", n, sharedOrders)
			}
			if args[2] == "-7d" {
				w.exact()
			}
			if !strings.Contains(waited[0]+waited[1], "another process fills a part of the range") {
				t.Errorf("nobody said that it waits:\n%s\n%s", waited[0], waited[1])
			}
		})
	}
}

// What overlaps is shared as well as what is the same.
func TestTwoBackfillsThatOverlap(t *testing.T) {
	t.Parallel()
	w := newSharedWorld(t)
	first, second := w.start("backfill", "--from", "-7d", "--to", "-2d"), w.start("backfill", "--from", "-100h")
	first.end(0)
	second.end(0)
	w.fetchedOnce(5)
}

// A backfill beside a daemon that has just been started and has a gap in its ledger.
func TestBackfillBesideADaemon(t *testing.T) {
	t.Parallel()
	w := newSharedWorld(t)
	w.run(0, "backfill", "--from", "-7d", "--to", "-5d")
	daemon := w.start("run")
	daemon.wait("http is served")
	backfill := w.start("backfill", "--from", "-7d")
	backfill.end(0)
	daemon.wait(`"ok":true`)
	w.fetchedOnce(5)
}

// The daemon leaves alone what a backfill works on, and says so; it comes to be whole when that is done.
func TestDaemonBesideABackfill(t *testing.T) {
	t.Parallel()
	w := newSharedWorld(t)
	began := make(chan struct{})
	var once sync.Once
	w.account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		if r.OrderID != "" {
			once.Do(func() { close(began) })
		}
		return simulator.Action{}
	})
	backfill := w.start("backfill", "--from", "-7d")
	<-began
	daemon := w.start("run")
	contains(t, daemon.wait("left to another process"), `"process":`, `"account":"main"`)
	backfill.end(0)
	daemon.wait(`"ok":true`)
	w.fetchedOnce(10) // the hours that are open are nobody's, and each lists them
}

// What a process that was killed had claimed is not waited for.
func TestCrashOfOneOfTwoBackfills(t *testing.T) {
	t.Parallel()
	w := newSharedWorld(t)
	var details atomic.Int64
	some := make(chan struct{})
	w.account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		if r.OrderID != "" && details.Add(1) == 300 {
			close(some)
		}
		return simulator.Action{}
	})
	first, second := w.start("backfill", "--from", "-7d"), w.start("backfill", "--from", "-7d")
	<-some
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.exit()
	killed := time.Now()
	second.end(0)
	if took := time.Since(killed); took > 35*time.Second {
		t.Errorf("the other one took %s after that", took)
	}
	w.exact()
}

// waitAll waits for lines of standard error that contain these texts, in whatever order they come, and returns all up to then.
func (p *process) waitAll(texts ...string) string {
	p.t.Helper()
	var read []string
	for _, text := range texts {
		if !strings.Contains(strings.Join(read, "\n"), text) {
			from := len(p.seen)
			p.wait(text)
			read = append(read, p.seen[from:]...)
		}
	}
	return strings.Join(read, "\n")
}

// A second daemon with the same configuration finds the address taken. It stands by all the same, and serves when it has
// taken over.
func TestSecondDaemonWithoutAPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	w := newWorld(t, 100)
	w.configure("127.0.0.1:0", addr)
	first := w.start("run")
	first.wait(`"msg":"tick"`)
	second := w.start("run")
	contains(t, second.waitAll("standing by: another daemon", "standing by without http"), `"account":"main"`, addr)
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.exit()
	contains(t, second.waitAll("http is served", "this one takes over", `"msg":"tick"`), addr)
	resp, err := http.Get(fmt.Sprintf("http://%s/readyz", addr))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("readyz: %s", resp.Status)
	}
	second.signal(15)
	second.end(0)
}

// An address that something else has taken ends a daemon that works on an account: that is a mistake to be seen to.
func TestThePortOfAnother(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := newWorld(t, 10)
	w.configure("127.0.0.1:0", l.Addr().String())
	contains(t, w.run(1, "run").err, "http.listen")
}
