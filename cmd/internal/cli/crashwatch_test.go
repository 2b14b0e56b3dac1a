package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// watcher reads the published views all the time, as an analyst's dashboard might. What it sees must be right at every
// moment: no order and no item twice (I9), and no window that the ledger holds as committed without one of its orders
// (I1), now or later (I7). While the server is away it sees nothing, which is no failure.
type watcher struct {
	t       *testing.T
	trigger *atomic.Pointer[trigger] // is told when the ledger changes
	addr    func() (string, clickhouse.Auth, error)
	looks   atomic.Int64

	one       sync.Mutex // one look at a time
	at        string
	conn      driver.Conn
	committed map[int64]recorded // by the window's start
	version   uint64             // of the ledger: the sum over its rows

	end, ended chan struct{}
	stopped    sync.Once
}

// recorded is what the ledger says of a window, or what is stored of it.
type recorded struct {
	orders  uint64
	digest  uint64
	version uint64
}

func newWatcher(t *testing.T, f *atomic.Pointer[trigger], addr func() (string, clickhouse.Auth, error)) *watcher {
	w := &watcher{t: t, trigger: f, addr: addr, committed: map[int64]recorded{}, end: make(chan struct{}), ended: make(chan struct{})}
	go func() { // ends with stop
		defer close(w.ended)
		for {
			select {
			case <-w.end:
				return
			case <-time.After(10 * time.Millisecond):
				w.look()
			}
		}
	}()
	t.Cleanup(w.stop)
	return w
}

func (w *watcher) stop() {
	w.stopped.Do(func() {
		close(w.end)
		<-w.ended
		if w.conn != nil {
			_ = w.conn.Close()
		}
	})
}

// look reads everything once. It does not name the database when it connects, because there may be none yet.
func (w *watcher) look() {
	w.one.Lock()
	defer w.one.Unlock()
	at, auth, err := w.addr()
	if err != nil {
		return
	}
	if at != w.at {
		if w.conn != nil {
			_ = w.conn.Close()
		}
		w.conn, err = clickhouse.Open(&clickhouse.Options{Addr: []string{at}, Auth: auth, DialTimeout: time.Second, ReadTimeout: 10 * time.Second})
		if err != nil {
			return
		}
		w.at = at
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for table, key := range map[string]string{"orders": "account, order_id", "order_items": "account, order_id, item_id"} {
		n, err := ask(ctx, w.conn, fmt.Sprintf("SELECT count() - uniqExact(%s) FROM %s.%s", key, crashDatabase, table))
		if err != nil {
			return
		}
		if n != 0 {
			w.t.Errorf("%d rows of %s are there twice (I9)", n, table)
		}
	}
	// The ledger first: what it says must be true of the orders that are read after it.
	ledger, err := w.read(ctx, "SELECT toUnixTimestamp64Second(window_start), toUInt64(stored), id_digest, version FROM %s.sync_windows WHERE verdict IN ('complete', 'open')")
	if err != nil {
		return
	}
	var version uint64
	for _, l := range ledger {
		version += l.version
	}
	if version != w.version {
		w.version = version
		w.trigger.Load().recorded()
	}
	stored, err := w.read(ctx, "SELECT toInt64(toUnixTimestamp(toStartOfHour(create_time))) AS h, count(), groupBitXor(xxHash64(order_id)), toUInt64(0) FROM %s.orders GROUP BY h")
	if err != nil {
		return
	}
	for start, before := range w.committed {
		if _, ok := ledger[start]; !ok {
			w.t.Errorf("the window of %s was committed and is in the ledger no more (I7)", time.Unix(start, 0).UTC())
		}
		if stored[start].orders < before.orders {
			w.t.Errorf("the window of %s had %d orders and has %d (I7)", time.Unix(start, 0).UTC(), before.orders, stored[start].orders)
		}
	}
	for start, l := range ledger {
		s := stored[start]
		// More than recorded is no loss: an order came into the window that is being walked again.
		if s.orders < l.orders || s.orders == l.orders && s.digest != l.digest {
			w.t.Errorf("the window of %s is committed with %d orders, digest %x; stored are %d, digest %x (I1)",
				time.Unix(start, 0).UTC(), l.orders, l.digest, s.orders, s.digest)
		}
		w.committed[start] = recorded{orders: max(w.committed[start].orders, l.orders, s.orders)}
	}
	w.looks.Add(1)
}

func (w *watcher) read(ctx context.Context, query string) (map[int64]recorded, error) {
	rows, err := w.conn.Query(ctx, fmt.Sprintf(query, crashDatabase))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64]recorded{}
	for rows.Next() {
		var start int64
		var r recorded
		if err := rows.Scan(&start, &r.orders, &r.digest, &r.version); err != nil {
			w.t.Error(err) // a mistake in this test
			return nil, err
		}
		out[start] = r
	}
	return out, rows.Err()
}

// tap is a way to ClickHouse that sees the inserts go by.
type tap struct {
	addr  string
	to    string
	event func(insert, replies int)

	mu      sync.Mutex
	inserts int // seen since the last reset
}

func newTap(t *testing.T, to string, event func(insert, replies int)) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &tap{addr: l.Addr().String(), to: to, event: event}
	go func() { // ends with the listener
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(in)
		}
	}()
	return p
}

// reset begins to count anew; a nil tap has nothing to count.
func (p *tap) reset() {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.inserts = 0
	}
}

func (p *tap) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inserts++
	return p.inserts
}

// pass relays one connection, which ends when either side does.
func (p *tap) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return // the server is being started again
	}
	defer server.Close()
	var insert, replies atomic.Int64 // the insert under way on this connection, 0 for none
	go func() {                      // ends when the client does, or with the deferred Close
		defer server.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := client.Read(b)
			// A statement is sent in one piece and not compressed.
			if bytes.Contains(b[:n], []byte("INSERT INTO ")) {
				replies.Store(0)
				insert.Store(int64(p.next()))
				p.event(int(insert.Load()), 0)
			}
			if _, werr := server.Write(b[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := server.Read(b)
		if k := insert.Load(); k > 0 && n > 0 {
			p.event(int(k), int(replies.Add(1)))
		}
		if _, werr := client.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}
