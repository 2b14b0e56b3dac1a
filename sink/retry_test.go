package sink_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
)

// proxy stands between a sink and the server and can cut connections.
type proxy struct {
	addr     string
	upload   atomic.Int64 // bytes from the client that it lets through before it cuts once; negative = do not cut
	swallow  atomic.Bool  // cut once instead of handing on the server's next answer after an upload
	uploaded atomic.Int64
	download atomic.Int64 // bytes from the server that it lets through before it cuts once; negative = do not cut
	received atomic.Int64 // bytes from the server
	onCut    func()       // what happens to the server then; may be nil
	cuts     atomic.Int64
	gone     atomic.Bool // after close
	listener net.Listener
}

func newProxy(t *testing.T, server string) *proxy {
	p := &proxy{}
	p.upload.Store(-1)
	p.download.Store(-1)
	l := listen(t, func(client net.Conn) {
		upstream, err := net.Dial("tcp", server)
		if err != nil {
			client.Close()
			return
		}
		var wg sync.WaitGroup
		closeBoth := func() { client.Close(); upstream.Close() }
		wg.Go(func() {
			defer closeBoth()
			buf := make([]byte, 16<<10)
			for {
				n, err := client.Read(buf)
				if limit := p.upload.Load(); limit >= 0 && p.uploaded.Add(int64(n)) > limit {
					p.upload.Store(-1)
					p.cuts.Add(1)
					return
				}
				if _, werr := upstream.Write(buf[:n]); err != nil || werr != nil {
					return
				}
			}
		})
		wg.Go(func() {
			defer closeBoth()
			buf := make([]byte, 16<<10)
			for {
				n, err := upstream.Read(buf)
				if p.gone.Load() {
					return
				}
				received := p.received.Add(int64(n))
				if limit := p.download.Load(); limit >= 0 && received > limit && p.download.CompareAndSwap(limit, -1) {
					_, _ = client.Write(buf[:max(0, n-int(received-limit))])
					if p.onCut != nil {
						p.onCut()
					}
					p.cuts.Add(1)
					return
				}
				// The server's end of stream is one byte (5) at the end of what it says after an insert.
				if n > 0 && buf[n-1] == 5 && p.swallow.CompareAndSwap(true, false) {
					if p.onCut != nil {
						p.onCut()
					}
					p.cuts.Add(1)
					return
				}
				if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
					return
				}
			}
		})
		wg.Wait()
	})
	p.addr, p.listener = l.Addr().String(), l
	return p
}

// close is as if the server were gone: each connection is cut at its next answer, and there is no new one.
func (p *proxy) close() {
	p.gone.Store(true)
	p.listener.Close()
}

// The connection breaks in the middle of a block, or just before the server's confirmation would arrive: nobody knows
// then whether the block is stored. It is sent again, and what is stored twice counts once.
func TestConnectionCutDuringInsert(t *testing.T) {
	t.Parallel()
	b := stored()
	// The first write is undisturbed; the second one is cut.
	for name, c := range map[string]struct {
		first, second sink.Batch
		arm           func(*proxy)
	}{
		"at once":                              {sink.Batch{}, b, func(p *proxy) { p.upload.Store(0) }},
		"within the items":                     {sink.Batch{}, b, func(p *proxy) { p.upload.Store(20_000) }},
		"within the orders":                    {sink.Batch{Items: b.Items}, sink.Batch{Orders: b.Orders, Windows: b.Windows}, func(p *proxy) { p.upload.Store(20_000) }},
		"before the confirmation of the items": {sink.Batch{}, b, func(p *proxy) { p.swallow.Store(true) }},
		"before the confirmation of the orders": {sink.Batch{Items: b.Items}, sink.Batch{Orders: b.Orders, Windows: b.Windows},
			func(p *proxy) { p.swallow.Store(true) }},
		"before the confirmation of the ledger": {sink.Batch{Items: b.Items, Orders: b.Orders}, sink.Batch{Windows: b.Windows},
			func(p *proxy) { p.swallow.Store(true) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, database := warehousetest.Database(t)
			p := newProxy(t, addr)
			seen := &inserts{}
			s := openAt(t, p.addr, database, func(c *sink.Config) { c.Observer = seen })
			direct := sinktest.Conn(t, database)
			for _, table := range []string{"order_rows", "order_item_rows", "order_versions", "sync_window_rows"} {
				exec(t, direct, "SYSTEM STOP MERGES "+table)
			}
			write(t, s, c.first)
			c.arm(p)
			write(t, s, c.second)
			if p.cuts.Load() != 1 || len(seen.retries) != 1 || seen.retries[0] != "network" {
				t.Errorf("%d cuts, retries %v", p.cuts.Load(), seen.retries)
			}
			for table, want := range map[string]int{
				"order_rows FINAL": len(b.Orders), "order_item_rows FINAL": len(b.Items), "order_versions FINAL": len(b.Orders),
				"sync_window_rows FINAL": len(b.Windows), "orders": len(b.Orders), "order_history": len(b.Orders),
				"sync_windows": len(b.Windows), "(SELECT * FROM window_audit WHERE agrees)": len(b.Windows),
			} {
				if n := number(t, direct, "SELECT count() FROM "+table); n != uint64(want) {
					t.Errorf("%s: %d rows, want %d", table, n, want)
				}
			}
		})
	}
}

// The copy to order_versions may fail after order_rows has the block. The retry must not be taken for done.
func TestRetryReachesTheHistory(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	seen := make(chan string, 100)
	s := openAt(t, addr, database, func(c *sink.Config) { c.Observer = retried(seen) })
	direct := sinktest.Conn(t, database)
	exec(t, direct, "SYSTEM STOP MERGES order_versions")
	// TOO_MANY_PARTS is retried: the table takes no more parts than it has.
	write(t, s, state("A", 0, 1))
	exec(t, direct, "ALTER TABLE order_versions MODIFY SETTING parts_to_throw_insert = 1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		equal(t, <-seen, "overload")
		<-seen
		exec(t, direct, "ALTER TABLE order_versions MODIFY SETTING parts_to_throw_insert = 3000")
	}()
	write(t, s, state("B", 1, 2))
	<-done
	equal(t, texts(t, direct, "SELECT payment_status FROM order_versions FINAL ORDER BY version"), []string{"('A')", "('B')"})
	equal(t, texts(t, direct, "SELECT payment_status FROM order_rows FINAL"), []string{"('B')"})
}

// A plain MergeTree that deduplicates notes that it has a block before it has it. A server that is killed in between has
// the note and not the block, and the next try must store it all the same.
func TestServerKilledDuringInsert(t *testing.T) {
	t.Parallel()
	server, err := embedded.Open(t.Context(), embedded.Options{Dir: t.TempDir(), Open: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p := newProxy(t, server.Addr())
	seen := &inserts{}
	s := openAt(t, p.addr, "killed", func(c *sink.Config) { c.Observer = seen })
	direct := openAt(t, server.Addr(), "killed").Conn()
	exec(t, direct, "ALTER TABLE order_item_rows MODIFY SETTING non_replicated_deduplication_window = 1000")
	var lost atomic.Uint64
	p.onCut = func() { // the confirmation is on its way: make it as if the server had been killed a moment before
		for _, path := range texts(t, direct, "SELECT path FROM system.parts WHERE database = 'killed' AND table = 'order_item_rows'") {
			if err := os.RemoveAll(strings.Trim(path, "(')")); err != nil {
				t.Error(err)
			}
			lost.Add(1)
		}
		if err := syscall.Kill(server.Pid(), syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	p.swallow.Store(true)
	b := stored()
	write(t, s, b)
	if lost.Load() == 0 || len(seen.retries) == 0 {
		t.Errorf("%d parts were lost, retries %v", lost.Load(), seen.retries)
	}
	equal(t, number(t, s.Conn(), "SELECT count() FROM order_items"), uint64(len(b.Items)))
	equal(t, number(t, s.Conn(), "SELECT count() FROM window_audit WHERE agrees"), uint64(len(b.Windows)))
}

type retried chan string

func (retried) Inserted(string, int, time.Duration) {}
func (r retried) Retried(_, reason string)          { r <- reason }

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	addr, database := warehousetest.Database(t)
	direct := sinktest.Conn(t, database)
	setup := openAt(t, addr, database)
	write(t, setup, sink.Batch{Rejects: smallBatch().Rejects})
	exec(t, direct, "ALTER TABLE reject_rows MODIFY SETTING parts_to_throw_insert = 1")
	t.Run("time is up", func(t *testing.T) {
		s := openAt(t, addr, database, func(c *sink.Config) { c.MaxElapsedTime = time.Second })
		start := time.Now()
		err := s.Write(t.Context(), smallBatch())
		if err == nil || !strings.Contains(err.Error(), "insert into reject_rows (rows: 1): given up after 1s, reason overload") {
			t.Error(err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("took %s", d)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		stop := errors.New("the program is asked to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		seen := make(chan string, 100)
		s := openAt(t, addr, database, func(c *sink.Config) { c.Observer = retried(seen) })
		go func() { <-seen; cancel(stop) }()
		if err := s.Write(ctx, smallBatch()); !errors.Is(err, stop) || !strings.Contains(err.Error(), "while retrying") {
			t.Error(err)
		}
		if err := s.Write(ctx, smallBatch()); !errors.Is(err, stop) {
			t.Error(err)
		}
	})
	t.Run("hopeless", func(t *testing.T) {
		s := openAt(t, addr, database)
		exec(t, s.Conn(), "DROP TABLE reject_rows")
		err := s.Write(t.Context(), smallBatch())
		if err == nil || !strings.Contains(err.Error(), "insert into reject_rows (rows: 1)") || !strings.Contains(err.Error(), "a table is missing: run `ordersync migrate`") {
			t.Error(err)
		}
	})
	// Whatever happened, the window was never recorded (I1).
	equal(t, number(t, setup.Conn(), "SELECT count() FROM sync_windows"), 0)
}

func TestTableChangedByHand(t *testing.T) {
	t.Parallel()
	s := open(t)
	exec(t, s.Conn(), "ALTER TABLE order_item_rows MODIFY COLUMN quantity Nullable(Float64)")
	err := s.Write(t.Context(), smallBatch())
	if err == nil || !strings.Contains(err.Error(), "column order_item_rows.quantity should be Nullable(Decimal(38, 12)) but is Nullable(Float64)") {
		t.Error(err)
	}
}
