package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/simulator"
)

// serve starts the daemon and returns its URL as soon as it is served.
func (w *world) serve() (*process, string) {
	w.t.Helper()
	p := w.start("run")
	w.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		p.exit()
	})
	var served struct{ URL string }
	if err := json.Unmarshal([]byte(p.wait("http is served")), &served); err != nil {
		w.t.Fatal(err)
	}
	return p, served.URL
}

// Where another client takes a part of a quota, the log, the page and the API of the daemon say so, with how many calls are made and how
// many the quota allows.
func TestASharedQuotaOnAllSurfaces(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 4000, Quota: simulator.Quota{List: 100, Detail: 5, Other: 100}})
	w.configure("quota: {list: 1000, detail: 1000}", "quota: {list: 100, detail: 20}")
	p, url := w.serve()
	line := p.wait("the account's quota is shared")
	const figures = " of 20 a second"
	contains(t, line, "detail calls are made at ", figures, "what else uses the account's quota")
	// `ordersync status` is another process than the one that makes the calls, and its budgets are not in the warehouse.
	for surface, text := range served(t, url) {
		contains(t, surface+": "+text, "quota is shared", "detail calls are made at ", figures)
	}
}

// A disk without room is said on all surfaces at once, with what cures it: long before the daemon has given up its inserts.
func TestAFullDiskOnAllSurfaces(t *testing.T) {
	t.Parallel()
	sinktest.Server(t) // only where there is an engine
	config, dir := filepath.Join(t.TempDir(), "disk.xml"), t.TempDir()
	open := func(keep string) *embedded.Server {
		if err := os.WriteFile(config, []byte("<clickhouse><storage_configuration><disks><default><keep_free_space_bytes>"+keep+
			"</keep_free_space_bytes></default></disks></storage_configuration></clickhouse>"), 0o600); err != nil {
			t.Fatal(err)
		}
		server, err := embedded.Open(context.Background(), embedded.Options{Dir: dir, Open: true, ConfigFile: config})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() }) // it may be closed
		return server
	}
	server := open("0")
	w := newWorld(t, 60)
	w.addr, w.database = server.Addr(), "ordersync"
	w.configureAgain()
	w.run(0, "backfill", "--from", "-4h")
	p, url := w.daemon(1)
	keep := w.run(0, "sql", "SELECT total_space - intDiv(total_space - free_space, 2) FROM system.disks FORMAT TSV").out
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	open(strings.TrimSpace(keep)) // on the same port, with more of the disk kept free than there is
	contains(t, p.wait("disk default has"), `"msg":"diagnosis"`, "make room on it")
	for _, text := range w.surfaces(1, url) {
		contains(t, text, "stopped", "disk default has", "make room on it")
	}
}
