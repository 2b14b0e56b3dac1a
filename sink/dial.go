package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// The driver waits for the greeting of a new connection as long as a dial may take, whatever its context says. So the making
// of a connection is called off here when the context ends: a stop must not wait for each of the dials that are tried.

// dialing is the making of one connection.
type dialing struct {
	mu  sync.Mutex
	end bool   // it is called off
	off func() // calls off what is under way
}

type dialingKey struct{}

// step says how to call off what comes next.
func (d *dialing) step(off func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off = off; d.end {
		off()
	}
}

func (d *dialing) callOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.end = true; d.off != nil {
		d.off()
	}
}

// dialStrategy is the driver's own, until the caller's context ends. The driver's bound of all its waiting does not end it:
// the next address must have its turn where the first does not answer.
func dialStrategy(ctx context.Context, id int, o *clickhouse.Options, dial clickhouse.Dial) (clickhouse.DialResult, error) {
	d := new(dialing)
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(context.Cause(ctx), clickhouse.ErrAcquireConnTimeout) {
			d.callOff()
		}
	})
	defer stop()
	r, err := clickhouse.DefaultDialStrategy(context.WithValue(ctx, dialingKey{}, d), id, o, dial)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.end {
		return clickhouse.DialResult{}, context.Cause(ctx)
	}
	d.off = nil // the connection is the driver's from now on
	return r, err
}

// dialContext dials within a bound. Its context is one of dialStrategy, or of the migrations, which have a driver around the
// driver.
func (c Config) dialContext(timeout time.Duration, secure *tls.Config) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		d, ok := ctx.Value(dialingKey{}).(*dialing)
		if !ok {
			d = new(dialing)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		d.step(cancel)
		var conn net.Conn
		var err error
		if secure != nil {
			conn, err = (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", addr)
		} else {
			conn, err = c.Dial(ctx, "tcp", addr)
		}
		if err != nil {
			return nil, err
		}
		d.step(func() { _ = conn.Close() })
		return conn, nil
	}
}
