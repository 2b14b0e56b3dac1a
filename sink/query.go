package sink

import (
	"context"
	"errors"
	"io"
	"iter"
	"reflect"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Rows is the result of a query that was not known when the program was written.
type Rows struct {
	Columns []string // names
	Types   []string // ClickHouse types
	scan    []reflect.Type
	rows    driver.Rows // nil where the statement has no result
}

// Query runs SQL that a person wrote. The caller closes the rows. Times after the year 2262 come out wrong in the values:
// the driver keeps them as nanoseconds; toString(column) shows them right.
func (s *Sink) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	rows, err := s.conn.Query(ctx, sql, args...)
	if err == io.EOF {
		// This very value, not wrapped, is how the driver says that the statement is done and has no result at all.
		return &Rows{}, nil
	}
	if err != nil {
		return nil, withRemedy(err)
	}
	r := &Rows{Columns: rows.Columns(), rows: rows}
	for _, t := range rows.ColumnTypes() {
		r.Types = append(r.Types, t.DatabaseTypeName())
		r.scan = append(r.scan, t.ScanType())
	}
	return r, nil
}

// All yields the rows one by one as they arrive, so that a large result needs little memory. The slice is the caller's.
// NULL is a nil pointer of the column's type; an error ends the sequence.
func (r *Rows) All() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		if r.rows == nil {
			return
		}
		for r.rows.Next() {
			targets := make([]any, len(r.scan))
			for i, t := range r.scan {
				targets[i] = reflect.New(t).Interface()
			}
			if err := r.rows.Scan(targets...); err != nil {
				yield(nil, err)
				return
			}
			for i, t := range targets {
				targets[i] = reflect.ValueOf(t).Elem().Interface()
			}
			if !yield(targets, nil) {
				return
			}
		}
		if err := r.rows.Err(); err != nil {
			yield(nil, withRemedy(err))
		}
	}
}

// Close ends the query and gives its connection back.
func (r *Rows) Close() error {
	if r.rows == nil {
		return nil
	}
	return errors.Join(r.rows.Close(), r.rows.Err())
}
