package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
)

// Whatever hangs, every path of the daemon answers within two seconds, and the daemon ends within half a minute after it is
// told to: that is how long an orchestrator waits before it kills.
func TestSlowDaemonWhateverHangs(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "waits for several stops of half a minute")
	for _, c := range []struct {
		hangs     string
		vendor    bool
		warehouse bool
		embedded  bool // the warehouse
	}{
		{hangs: "vendor", vendor: true},
		{hangs: "own", warehouse: true},
		{hangs: "embedded", embedded: true, warehouse: true},
		{hangs: "both", vendor: true, warehouse: true},
		{hangs: "both embedded", vendor: true, embedded: true, warehouse: true},
	} {
		t.Run(c.hangs, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 300)
			w.configure()
			way := newProxy(t, w.addr)
			if c.embedded {
				w.write("ordersync.yaml", `accounts:
  - name: main
    source: bss
    endpoint: `+w.url+`
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
    quota: {list: 1000, detail: 1000}
clickhouse: {embedded: ./warehouse}
schedule: {cron: "@every 1s"}
http: {listen: "127.0.0.1:0"}
`)
			} else {
				w.configureAgain(w.addr, way.addr)
			}
			p := w.start("run")
			var served struct{ URL string }
			if err := json.Unmarshal([]byte(p.wait("http is served")), &served); err != nil {
				t.Fatal(err)
			}
			p.wait(`"msg":"tick"`)
			if c.vendor {
				hanging := make(chan struct{})
				var once sync.Once
				w.account.SetFault(func(simulator.FaultRequest) simulator.Action {
					once.Do(func() { close(hanging) })
					return simulator.Action{Hang: true}
				})
				<-hanging
			}
			switch {
			case !c.warehouse:
			case !c.embedded:
				way.hold()
			default:
				server := childOf(p.cmd.Process.Pid)
				if err := syscall.Kill(server, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				defer func() {
					state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server))
					if err == nil && !strings.Contains(string(state), ") Z ") {
						t.Errorf("the frozen server is left behind: %s", state)
						_ = syscall.Kill(server, syscall.SIGKILL)
					}
				}()
			}
			var asked sync.WaitGroup
			for _, path := range []string{"/", "/api/status", "/readyz", "/healthz", "/metrics"} {
				asked.Go(func() {
					start := time.Now()
					resp, err := http.Get(served.URL + path)
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if took := time.Since(start); took > 4*time.Second { // two, and what a busy machine takes
						t.Errorf("%s answered after %s", path, took)
					}
					if away := path != "/healthz" && path != "/metrics" && c.warehouse; away != (resp.StatusCode == http.StatusServiceUnavailable) {
						t.Errorf("%s: %s", path, resp.Status)
					}
				})
			}
			asked.Wait()
			start := time.Now()
			p.signal(syscall.SIGTERM)
			p.exit()
			took := time.Since(start)
			t.Logf("stopped after %s", took)
			if took > 30*time.Second {
				t.Errorf("stopped after %s", took)
			}
		})
	}
}
