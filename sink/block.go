package sink

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// block is one insert. Its rows are encoded packet by packet while they are sent, so that the memory of an insert does not
// grow with its rows; the server stores all packets as one. It can be sent any number of times.
type block struct {
	table   string
	query   string
	rows    int
	packets int
	encode  func(packet int, into *packet) error
}

// packet is a part of a block's rows, column by column.
type packet struct {
	rows   int
	names  []string
	types  []string
	values []any        // what to append to a column; nil where the column's bytes are in native
	native proto.Buffer // the columns without values, one after the other, in ClickHouse's own format

	bytes  bytes.Reader // of native
	reader *proto.Reader
}

// packets that were sent: their memory is for the next ones.
var packets = sync.Pool{New: func() any {
	p := new(packet)
	p.reader = proto.NewReader(&p.bytes)
	return p
}}

// Bounds of one packet: the driver holds it about four times, as columns, as bytes, and compressed.
const (
	maxPacketRows  = 2048
	maxPacketBytes = 1 << 20
)

// newBlock makes an insert of rows of one partition.
func newBlock[T any](t *table[T], rows []*T) *block {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	packets := chunks(t, rows, maxPacketRows, maxPacketBytes)
	return &block{
		table:   t.name,
		query:   "INSERT INTO " + t.name + " (" + strings.Join(names, ", ") + ")",
		rows:    len(rows),
		packets: len(packets),
		encode:  func(n int, into *packet) error { return encode(t, packets[n], into) },
	}
}

// encode turns rows into a packet. It fails on a value that does not fit its column; nothing of the block is stored then
// (I5, I6).
func encode[T any](t *table[T], rows []*T, p *packet) error {
	p.rows = len(rows)
	p.names, p.types = p.names[:0], p.types[:0]
	p.values = slices.Grow(p.values[:0], len(t.columns))[:len(t.columns)] // those of the packet before
	p.native.Reset()
	for i, c := range t.columns {
		v, bad, err := c.encode(rows, p.values[i], &p.native)
		if err != nil {
			return &ValueError{Table: t.name, Row: t.label(rows[bad]), Column: c.name, Err: err}
		}
		p.names, p.types, p.values[i] = append(p.names, c.name), append(p.types, c.chType), v
	}
	return nil
}

// ValueError is a value that does not fit its column. Nothing of its block was written; it is never retried.
type ValueError struct {
	Table  string
	Row    string // names the row, such as "order 211059788270709"
	Column string
	Err    error
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: %s: column %s: %v", e.Table, e.Row, e.Column, e.Err)
}

func (e *ValueError) Unwrap() error { return e.Err }

// insert sends the block until the server confirms it, or until that is hopeless.
func (s *Sink) insert(ctx context.Context, b *block) error {
	start := time.Now()
	tell := s.retry.tell(ctx, "insert failed, trying again", "table", b.table)
	err := s.retry.do(ctx, func(reason string, err error, next time.Duration) {
		s.observer.Retried(b.table, reason)
		tell(reason, err, next)
	}, func() error { return s.connected(ctx, func() error { return s.send(ctx, b) }) })
	if err != nil {
		return fmt.Errorf("insert %d rows into %s: %w", b.rows, b.table, err)
	}
	s.observer.Inserted(b.table, b.rows, time.Since(start))
	return nil
}

// send sends the block once.
func (s *Sink) send(ctx context.Context, b *block) error {
	ctx, settle := untilSettled(ctx)
	defer settle()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		// Another one for each try, so that no server takes a block for one that it has (see the package's documentation).
		"insert_deduplication_token": uuid.NewString(),
		// An asynchronous insert would be confirmed before it is stored, or mixed with other blocks (I1).
		"async_insert": 0,
		// The server need not look for rows of one key in a block: there are none, or FINAL finds them.
		"optimize_on_insert": 0,
	}))
	batch, err := s.conn.PrepareBatch(ctx, b.query)
	if err != nil {
		return err
	}
	defer batch.Close() // after Send it does nothing; before, it gives the connection back

	p := packets.Get().(*packet)
	for n := range b.packets {
		if n > 0 {
			if err := batch.Flush(); err != nil {
				return err
			}
		}
		if err := b.encode(n, p); err != nil {
			_ = batch.Abort() // the connection ends, and with it the half-sent insert
			return err
		}
		if err := b.fill(batch, p, n == 0); err != nil {
			_ = batch.Abort()
			return err
		}
	}
	if err := batch.Send(); err != nil {
		return err
	}
	clear(p.values) // they must not keep payloads alive
	packets.Put(p)  // after an error it is not, since something of it may be left unread
	return nil
}

// fill puts a packet into the driver's columns. The driver converts Decimal, DateTime64, LowCardinality and Map value by
// value, with reflection, silent rounding and times that wrap in 2262. Its columns can also read the bytes that the
// server would send, which is exact for every value of the column and several times faster; so those columns are filled
// that way. The columns of the first packet have no memory yet.
func (b *block) fill(batch driver.Batch, p *packet, first bool) error {
	p.bytes.Reset(p.native.Buf)
	for i, column := range batch.Columns() {
		if got := string(column.Type()); got != p.types[i] {
			return &typeError{table: b.table, column: p.names[i], want: p.types[i], got: got}
		}
		var err error
		if texts, ok := p.values[i].([]string); ok && first {
			err = makeRoom(column, texts)
		}
		switch {
		case err != nil:
		case p.values[i] != nil:
			err = batch.Column(i).Append(p.values[i])
		default:
			err = column.Decode(p.reader, p.rows)
		}
		if err != nil {
			return &typeError{table: b.table, column: p.names[i], want: p.types[i], got: err.Error()}
		}
	}
	return nil
}

// blank is never written to, so it takes no memory.
var blank [maxPacketBytes]byte

// makeRoom returns an empty String column the memory for texts. By itself it would grow by a quarter at a time, which leaves
// five times its size to the garbage collector, in every insert.
func makeRoom(column chcolumn.Interface, texts []string) error {
	size := 0
	for _, s := range texts {
		size += len(s)
	}
	err := column.AppendRow(blank[:min(size, len(blank))])
	column.Reset()
	return err
}

// untilSettled is a context that ends with ctx until settle is called, and never after. The driver watches a batch's
// context in a goroutine that may see its end after Send has returned, and then closes a connection that somebody else
// has taken from the pool by then.
func untilSettled(ctx context.Context) (settled context.Context, settle func()) {
	settled, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return settled, func() { stop() }
}

// typeError says that a table is not as the migrations made it. Sending the block again would not help.
type typeError struct{ table, column, want, got string }

func (e *typeError) Error() string {
	return fmt.Sprintf("column %s.%s should be %s but is %s: the table was changed by hand, or by a newer ordersync; "+
		"restore the column's type or run that version", e.table, e.column, e.want, e.got)
}
