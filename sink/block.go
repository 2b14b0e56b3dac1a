package sink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/ordersync/ordersync/schema"
)

// packet is some rows of a table, column by column in ClickHouse's own format, compressed. The server stores all packets of an
// insert as one.
type packet struct {
	rows int
	size int // before it was compressed
	data []byte
}

// Bounds of one packet: while it is sent it is held about four times, as columns, as bytes, and compressed. Writers that share
// memory make smaller ones, each of which costs the server a little.
const (
	maxPacketRows    = 2048
	maxPacketBytes   = 1 << 20
	leastPacketBytes = 128 << 10
)

// encoder has the memory that is needed to make a packet.
type encoder struct {
	native   proto.Buffer
	rows     []reflect.Value
	compress *compress.Writer
}

// encoders are shared by all writers: those of many accounts wait for rows most of the time.
var encoders = sync.Pool{New: func() any { return &encoder{compress: compress.NewWriter(compress.LevelZero, compress.LZ4)} }}

// encode makes a packet of rows. It fails on a value that does not fit its column (I5, I6).
func encode[T any](t *table[T], rows []*T) (packet, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.native.Reset()
	e.rows = e.rows[:0]
	for _, r := range rows {
		e.rows = append(e.rows, reflect.ValueOf(r).Elem())
	}
	for _, c := range t.columns {
		if bad, err := encodeColumn(c, e.rows, &e.native); err != nil {
			return packet{}, &ValueError{Table: t.name, Row: t.label(rows[bad]), Column: c.Name, Err: err}
		}
	}
	clear(e.rows) // they must not keep payloads alive
	if err := e.compress.Compress(e.native.Buf); err != nil {
		return packet{}, fmt.Errorf("compress rows of %s: %w", t.name, err)
	}
	return packet{len(rows), len(e.native.Buf), slices.Clone(e.compress.Data)}, nil
}

// chunks cuts packets into inserts of bounded length and size. A single packet that is larger than the bound is an insert of
// its own.
func chunks(packets []packet, maxRows, maxBytes int) [][]packet {
	var out [][]packet
	start, rows, bytes := 0, 0, 0
	for i, p := range packets {
		if i > start && (rows+p.rows > maxRows || bytes+p.size > maxBytes) {
			out = append(out, packets[start:i])
			start, rows, bytes = i, 0, 0
		}
		rows += p.rows
		bytes += p.size
	}
	if start < len(packets) {
		out = append(out, packets[start:])
	}
	return out
}

// block is one insert, into one partition. It can be sent any number of times.
type block struct {
	table   string
	columns []schema.Field
	rows    int
	packets []packet
}

// newBlock makes an insert of packets.
func newBlock[T any](t *table[T], packets []packet) *block {
	b := &block{table: t.name, columns: t.columns, packets: packets}
	for _, p := range packets {
		b.rows += p.rows
	}
	return b
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
		return fmt.Errorf("insert into %s (rows: %d): %w", b.table, b.rows, err)
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
	names := make([]string, len(b.columns))
	for i, c := range b.columns {
		names[i] = c.Name
	}
	batch, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+b.table+" ("+strings.Join(names, ", ")+")")
	if err != nil {
		return err
	}
	defer batch.Close() // after Send it does nothing; before, it gives the connection back

	var waiting []io.Reader
	for _, p := range b.packets {
		waiting = append(waiting, bytes.NewReader(p.data))
	}
	r := proto.NewReader(io.MultiReader(waiting...))
	r.EnableCompression()
	for i, p := range b.packets {
		if i > 0 {
			if err := batch.Flush(); err != nil {
				return err
			}
		}
		if err := b.fill(batch, r, p.rows); err != nil {
			_ = batch.Abort() // the connection ends, and with it the half-sent insert
			return err
		}
	}
	return batch.Send()
}

// fill puts the next packet into the driver's columns, which can read what the server would send.
func (b *block) fill(batch driver.Batch, r *proto.Reader, rows int) error {
	for i, column := range batch.Columns() {
		c := b.columns[i]
		if got := string(column.Type()); got != c.Type {
			return &typeError{table: b.table, column: c.Name, want: c.Type, got: got}
		}
		if err := column.Decode(r, rows); err != nil {
			return &typeError{table: b.table, column: c.Name, want: c.Type, got: err.Error()}
		}
	}
	return nil
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
