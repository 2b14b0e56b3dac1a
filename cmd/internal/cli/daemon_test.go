package cli_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
)

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.configure()
	p := w.start("run")
	var served struct{ URL string }
	if err := json.Unmarshal([]byte(p.wait("http is served")), &served); err != nil {
		t.Fatalf("the log is not JSON where there is no terminal: %v", err)
	}
	p.wait(`"msg":"tick"`)
	p.wait(`"msg":"tick"`)
	for path, want := range map[string][]string{
		"/healthz":    {"ok"},
		"/readyz":     {"ok"},
		"/":           {"ordersync devel", "<h2>Coverage</h2>", "main list", "main detail"},
		"/api/status": {`"account":"main"`, `"kind":"tick"`, `"quota":1000`},
		"/metrics": {`ordersync_orders_written_total{account="main"} 100`, `ordersync_api_calls_total{account="main",api="list",reason="throttled"} 0`,
			"ordersync_next_tick_timestamp_seconds", `ordersync_windows{account="main",verdict="short"} 0`},
	} {
		resp, err := http.Get(served.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		contains(t, string(body), want...)
		if strings.Contains(string(body), secret) {
			t.Errorf("%s shows the secret (I10)", path)
		}
	}
	p.signal(syscall.SIGTERM)
	contains(t, p.end(0), "stopping", "stopped")
	if out := p.out.String(); out != "" {
		t.Errorf("standard output: %s", out)
	}
}

// hang makes the vendor answer no detail after the first n, and tells when that happens.
func hang(account *simulator.Account, n int64) (hanging chan struct{}) {
	var details atomic.Int64
	hanging = make(chan struct{})
	account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		if r.OrderID == "" {
			return simulator.Action{}
		}
		k := details.Add(1)
		if k == n+1 {
			close(hanging) // the calls before it have been answered, or are about to be
		}
		return simulator.Action{Hang: k > n}
	})
	return hanging
}

func TestInterruptedBackfillGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.configure()
	hanging := hang(w.account, 350)
	p := w.start("backfill", "--from", "-24h")
	<-hanging
	p.signal(syscall.SIGINT)
	p.wait("stopping")
	contains(t, p.end(130), "run the same command again to go on")

	w.account.SetFault(nil)
	w.account.ResetCounters()
	w.run(0, "backfill", "--from", "-24h")
	contains(t, w.run(0, "sql", "--format", "tsv", "SELECT count() AS n FROM orders").out, "n\n400\n")
	if calls := w.account.Calls()["GetOrderDetail"].Total; calls >= 400 {
		t.Errorf("all %d details were fetched again: nothing of the first run was kept", calls)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"backfill", "--from", "-24h"}, {"run"}} {
		w := newWorld(t, 50)
		addr, _ := sinktest.Database(t)
		way := newProxy(t, addr)
		w.configure(addr, way.addr)
		hanging := hang(w.account, 20)
		p := w.start(args...)
		<-hanging
		// The warehouse does not answer any more: committing what was fetched takes until its bound, half a minute.
		way.hold()
		stopped := time.Now()
		p.signal(syscall.SIGINT)
		p.wait("stopping")
		p.signal(syscall.SIGTERM)
		p.end(130)
		if took := time.Since(stopped); took > 10*time.Second {
			t.Errorf("%v: the end took %s", args, took)
		}
	}
}

// proxy is a way to ClickHouse that can be held: then nothing goes through any more.
type proxy struct {
	addr string
	held chan struct{}
	once sync.Once
}

func (p *proxy) hold() { p.once.Do(func() { close(p.held) }) }

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), held: make(chan struct{})}
	t.Cleanup(func() { l.Close(); p.hold() })
	pass := func(to, from net.Conn) {
		defer to.Close()
		b := make([]byte, 32<<10)
		for {
			n, err := from.Read(b)
			select {
			case <-p.held:
				<-t.Context().Done() // the connection stays open, and silent
				return
			default:
			}
			if _, werr := to.Write(b[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	go func() { // ends with the listener
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				return
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	return p
}

func TestRefusedCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.configure("${TEST_SECRET}", "another-secret")
	r := w.run(3, "backfill", "--from", "-24h")
	contains(t, r.err, "SignatureDoesNotMatch", "secret does not belong to the AccessKey id")
	if n := w.account.Calls()["QueryOrders"].Total; n > 10 {
		t.Errorf("%d calls with credentials that are refused", n)
	}
	contains(t, w.run(3, "check").out, "FAILED order list of main", "ok     clickhouse")
	contains(t, w.run(3, "check", "--json").out, `"status": "FAILED"`)
}

func TestMissingPermission(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 50, DeniedActions: []string{"GetOrderDetail"}})
	w.configure()
	contains(t, w.run(3, "check").out, "ok     order list of main", "FAILED order detail of main", "bss:DescribeOrderDetail")
	contains(t, w.run(3, "backfill", "--from", "-24h").err, "bss:DescribeOrderDetail")
}

func TestWarehouseCannotBeHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.write("ordersync.yaml", "accounts: [{name: main, source: bss, endpoint: \""+w.url+"\", credentials: {access_key_id: testid, access_key_secret: \"${TEST_SECRET}\"}}]\n"+
		"clickhouse: {addr: [\"127.0.0.1:1\"], password: \"${TEST_SECRET}\"}\n")
	for _, args := range [][]string{{"run"}, {"backfill", "--from", "-1d"}, {"plan", "--from", "-1d"}, {"status"}, {"sql", "SELECT 1"}, {"verify"}, {"rejects"}, {"replay"},
		{"rejects", "accept", "1", "--note", "x"}} {
		contains(t, w.run(3, args...).err, "127.0.0.1:1", "nothing listens there")
	}
	contains(t, w.run(3, "check").out, "FAILED clickhouse", "ok     order list of main")
}
