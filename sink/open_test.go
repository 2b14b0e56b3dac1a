package sink_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// Two processes, or many, may start at once on an empty database.
func TestConcurrentOpens(t *testing.T) {
	t.Parallel()
	openAtOnce(t, 1)
}

// The same more often.
func TestSlowConcurrentOpens(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "makes a hundred warehouses")
	openAtOnce(t, 25)
}

// openAtOnce opens empty databases, each four times at once.
func openAtOnce(t *testing.T, rounds int) {
	t.Helper()
	for range rounds {
		addr, database := sinktest.Database(t)
		// Open creates the database too: take away the one that was made for the test.
		exec(t, sinktest.Conn(t, "default"), "DROP DATABASE "+database)
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() {
				s, err := sink.Open(t.Context(), sink.Config{Addr: []string{addr}, Database: database, Username: "default"})
				if err == nil {
					err = errors.Join(s.Write(t.Context(), smallBatch()), s.Close())
				}
				errs[i] = err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		// A later start finds everything done, and all views work.
		s := openAt(t, addr, database)
		got := contents(t, s)
		equal(t, len(got["orders"]), 2)
		equal(t, len(got["order_history"]), 2)
	}
}

func TestDatabaseWithAnOddName(t *testing.T) {
	t.Parallel()
	addr, database := sinktest.Database(t)
	odd := database + "-`odd` \\ name"
	s := openAt(t, addr, odd)
	write(t, s, smallBatch())
	exec(t, s.Conn(), "DROP DATABASE `"+strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(odd)+"`")
}

// What a person sees who configured something wrong: what is wrong, where, and what to do; and never the password (I10).
func TestErrorsOfOpening(t *testing.T) {
	t.Parallel()
	free := listen(t, nil)
	free.Close()
	silent := listen(t, func(c net.Conn) { c.Close() })
	http := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\nPort 8123 is for HTTP")
		c.Close()
	})
	// The embedded server has no users, so the refusal is said by a stand-in: hello, then an exception packet.
	refuses := listen(t, func(c net.Conn) {
		defer c.Close()
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			return
		}
		var b proto.Buffer
		b.PutByte(2) // exception
		b.PutInt32(516)
		b.PutString("DB::Exception")
		b.PutString("DB::Exception: main: Authentication failed: password is incorrect, or there is no user with such name")
		b.PutString("")
		b.PutBool(false)
		_, _ = c.Write(b.Buf)
	})
	for name, c := range map[string]struct {
		cfg  sink.Config
		want string
	}{
		"no address":     {sink.Config{Database: "d"}, "set clickhouse.addr or clickhouse.embedded"},
		"no database":    {sink.Config{Addr: []string{"localhost:9000"}}, "set clickhouse.database"},
		"nobody listens": {sink.Config{Addr: []string{free.Addr().String()}, Database: "d"}, "nothing listens there"},
		"unknown host":   {sink.Config{Addr: []string{"no-such-host.invalid:9000"}, Database: "d"}, "the host name is not known"},
		"wrong password": {sink.Config{Addr: []string{refuses.Addr().String()}, Database: "d", Username: "main", Password: "s3cret"}, "check clickhouse.username and clickhouse.password"},
		"hangs up":       {sink.Config{Addr: []string{silent.Addr().String()}, Database: "d"}, "names its native port"},
		"HTTP port":      {sink.Config{Addr: []string{http.Addr().String()}, Database: "d"}, "names its native port"},
		"TLS on one side": {sink.Config{Addr: []string{http.Addr().String()}, Database: "d", Secure: true},
			"the server does not speak TLS on this port"},
	} {
		s, err := sink.Open(t.Context(), c.cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
			s.Close()
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %q, want it to say %q", name, err, c.want)
		}
	}
}

// listen accepts connections on a free port and hands each to serve. The goroutine ends with the listener.
func listen(t testing.TB, serve func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l
}
