package sink

import (
	"encoding/binary"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/ordersync/ordersync/schema"
)

// column says how one column of a table is encoded.
type column[T any] struct {
	name   string
	chType string // as the server reports it
	// encode writes the column to native, in ClickHouse's own format. With an error it returns the index of the row that is
	// at fault.
	encode func(rows []*T, native *proto.Buffer) (bad int, err error)
}

// text is a String column.
func text[T any](name string, value func(*T) string) column[T] {
	return column[T]{name, "String", func(rows []*T, native *proto.Buffer) (int, error) {
		for _, r := range rows {
			native.PutString(value(r))
		}
		return 0, nil
	}}
}

// long is a UInt64 column.
func long[T any](name string, value func(*T) uint64) column[T] {
	return column[T]{name, "UInt64", func(rows []*T, native *proto.Buffer) (int, error) {
		for _, r := range rows {
			native.PutUInt64(value(r))
		}
		return 0, nil
	}}
}

// count is a UInt32 column.
func count[T any](name string, value func(*T) uint32) column[T] {
	return column[T]{name, "UInt32", func(rows []*T, native *proto.Buffer) (int, error) {
		for _, r := range rows {
			native.PutUInt32(value(r))
		}
		return 0, nil
	}}
}

// flag is a UInt8 column that holds 0 or 1.
func flag[T any](name string, value func(*T) bool) column[T] {
	return column[T]{name, "UInt8", func(rows []*T, native *proto.Buffer) (int, error) {
		for _, r := range rows {
			native.PutBool(value(r))
		}
		return 0, nil
	}}
}

// label is a LowCardinality(String) column: a dictionary, then for each row its index in the dictionary.
func label[T any](name string, value func(*T) string) column[T] {
	return column[T]{name, "LowCardinality(String)", func(rows []*T, native *proto.Buffer) (int, error) {
		var (
			index = map[string]uint32{}
			words []string
			keys  = make([]uint32, len(rows))
			last  string
			key   uint32
		)
		for i, r := range rows {
			// Neighbours are mostly equal, since rows are sorted by account.
			if v := value(r); i == 0 || v != last {
				k, ok := index[v]
				if !ok {
					k = uint32(len(words))
					index[v] = k
					words = append(words, v)
				}
				last, key = v, k
			}
			keys[i] = key
		}
		putDictionary(native, words, keys)
		return 0, nil
	}}
}

// Bits of the header of a LowCardinality column in the Native format: the dictionary comes with the data.
const (
	additionalKeys   = 1 << 9
	updateDictionary = 1 << 10
)

// putDictionary writes a LowCardinality column; the width of its keys follows from the number of words.
func putDictionary(native *proto.Buffer, words []string, keys []uint32) {
	width := uint64(0) // log2 of the bytes of a key
	switch {
	case len(words) > 1<<16:
		width = 2
	case len(words) > 1<<8:
		width = 1
	}
	native.PutUInt64(additionalKeys | updateDictionary | width)
	native.PutInt64(int64(len(words)))
	for _, w := range words {
		native.PutString(w)
	}
	native.PutInt64(int64(len(keys)))
	for _, k := range keys {
		switch width {
		case 0:
			native.Buf = append(native.Buf, byte(k))
		case 1:
			native.Buf = binary.LittleEndian.AppendUint16(native.Buf, uint16(k))
		default:
			native.Buf = binary.LittleEndian.AppendUint32(native.Buf, k)
		}
	}
}

// moment is a DateTime64(3, 'UTC') column; a row without the time is an error.
func moment[T any](name string, value func(*T) time.Time) column[T] {
	return column[T]{name, "DateTime64(3, 'UTC')", func(rows []*T, native *proto.Buffer) (int, error) {
		for i, r := range rows {
			ms, err := milliseconds(value(r))
			if err != nil {
				return i, err
			}
			native.PutInt64(ms)
		}
		return 0, nil
	}}
}

// optionalMoment is a Nullable(DateTime64(3, 'UTC')) column; a zero time is NULL.
func optionalMoment[T any](name string, value func(*T) time.Time) column[T] {
	return column[T]{name, "Nullable(DateTime64(3, 'UTC'))", func(rows []*T, native *proto.Buffer) (int, error) {
		nulls, at := nullable(native, len(rows), 8)
		for i, r := range rows {
			v := value(r)
			if v.IsZero() {
				native.Buf[nulls+i] = 1
				continue
			}
			ms, err := milliseconds(v)
			if err != nil {
				return i, err
			}
			binary.LittleEndian.PutUint64(native.Buf[at+8*i:], uint64(ms))
		}
		return 0, nil
	}}
}

// amount is a Nullable(Decimal(38, 12)) column.
func amount[T any](name string, value func(*T) schema.Money) column[T] {
	return column[T]{name, "Nullable(Decimal(38, 12))", func(rows []*T, native *proto.Buffer) (int, error) {
		nulls, at := nullable(native, len(rows), 16)
		for i, r := range rows {
			v := value(r)
			if !v.Valid {
				native.Buf[nulls+i] = 1
				continue
			}
			low, high, err := fixedPoint(v.Decimal)
			if err != nil {
				return i, err
			}
			binary.LittleEndian.PutUint64(native.Buf[at+16*i:], low)
			binary.LittleEndian.PutUint64(native.Buf[at+16*i+8:], high)
		}
		return 0, nil
	}}
}

// nullable makes room for a Nullable column of rows values of width bytes: first one byte per row that says whether it
// is NULL, then the values. It returns where each of both begins.
func nullable(native *proto.Buffer, rows, width int) (nulls, values int) {
	nulls = len(native.Buf)
	native.Buf = append(native.Buf, make([]byte, rows*(1+width))...)
	return nulls, nulls + rows
}

// texts is an Array(String) column: where each row's array ends, then all strings.
func texts[T any](name string, value func(*T) []string) column[T] {
	return column[T]{name, "Array(String)", func(rows []*T, native *proto.Buffer) (int, error) {
		end := 0
		for _, r := range rows {
			end += len(value(r))
			native.PutUInt64(uint64(end))
		}
		for _, r := range rows {
			for _, s := range value(r) {
				native.PutString(s)
			}
		}
		return 0, nil
	}}
}

// pairs is a Map(String, String) column: where each row's map ends, then all keys, then all values.
func pairs[T any](name string, value func(*T) map[string]string) column[T] {
	return column[T]{name, "Map(String, String)", func(rows []*T, native *proto.Buffer) (int, error) {
		end := 0
		var values []string // a map is walked once only: twice would not give the same order
		for _, r := range rows {
			end += len(value(r))
			native.PutUInt64(uint64(end))
		}
		for _, r := range rows {
			for k, v := range value(r) {
				native.PutString(k)
				values = append(values, v)
			}
		}
		for _, v := range values {
			native.PutString(v)
		}
		return 0, nil
	}}
}
