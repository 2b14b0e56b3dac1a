package sink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"reflect"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
)

// encodeColumn writes a column of some rows in ClickHouse's own format. It fails on a value that does not fit (I5, I6), and
// returns the index of the row that is at fault. The driver would convert value by value, round amounts in silence, and
// wrap times after 2262.
func encodeColumn(c schema.Field, rows []reflect.Value, native *proto.Buffer) (bad int, err error) {
	switch c.Type {
	case "String":
		for _, r := range rows {
			native.PutString(c.Of(r).String())
		}
	case "LowCardinality(String)":
		putLabels(c, rows, native)
	case "UInt8":
		for _, r := range rows {
			native.PutBool(c.Of(r).Bool())
		}
	case "UInt32":
		for _, r := range rows {
			native.PutUInt32(uint32(c.Of(r).Uint()))
		}
	case "UInt64":
		for _, r := range rows {
			if v := c.Of(r); v.CanInt() {
				native.PutInt64(v.Int())
			} else {
				native.PutUInt64(v.Uint())
			}
		}
	case "Float64":
		for _, r := range rows {
			native.PutUInt64(math.Float64bits(c.Of(r).Float()))
		}
	case "Array(String)":
		putTexts(c, rows, native)
	case "Map(String, String)":
		putPairs(c, rows, native)
	case "DateTime64(3, 'UTC')":
		for i, r := range rows {
			ms, err := milliseconds(*in[time.Time](c, r))
			if err != nil {
				return i, err
			}
			native.PutInt64(ms)
		}
	case "Nullable(DateTime64(3, 'UTC'))":
		nulls, at := nullable(native, len(rows), 8)
		for i, r := range rows {
			v := in[time.Time](c, r)
			if v.IsZero() {
				native.Buf[nulls+i] = 1
				continue
			}
			ms, err := milliseconds(*v)
			if err != nil {
				return i, err
			}
			binary.LittleEndian.PutUint64(native.Buf[at+8*i:], uint64(ms))
		}
	case "Nullable(Decimal(38, 12))":
		nulls, at := nullable(native, len(rows), 16)
		for i, r := range rows {
			v := in[schema.Money](c, r)
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
	default:
		return 0, fmt.Errorf("there is no encoding for the type %s", c.Type)
	}
	return 0, nil
}

// in returns where a row holds a column.
func in[V any](c schema.Field, row reflect.Value) *V { return c.Of(row).Addr().Interface().(*V) }

// putLabels writes a LowCardinality(String) column: a dictionary, then for each row its index in the dictionary.
func putLabels(c schema.Field, rows []reflect.Value, native *proto.Buffer) {
	var (
		index = map[string]uint32{}
		words []string
		keys  = make([]uint32, len(rows))
		last  string
		key   uint32
	)
	for i, r := range rows {
		if v := c.Of(r).String(); i == 0 || v != last { // neighbours are often equal
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

// putTexts writes an Array(String) column: where each row's array ends, then all strings.
func putTexts(c schema.Field, rows []reflect.Value, native *proto.Buffer) {
	end := 0
	for _, r := range rows {
		end += c.Of(r).Len()
		native.PutUInt64(uint64(end))
	}
	for _, r := range rows {
		for _, s := range *in[[]string](c, r) {
			native.PutString(s)
		}
	}
}

// putPairs writes a Map(String, String) column: where each row's map ends, then all keys, then all values.
func putPairs(c schema.Field, rows []reflect.Value, native *proto.Buffer) {
	end := 0
	var values []string // a map is read once only: twice would not give the same order
	for _, r := range rows {
		end += c.Of(r).Len()
		native.PutUInt64(uint64(end))
	}
	for _, r := range rows {
		for k, v := range *in[map[string]string](c, r) {
			native.PutString(k)
			values = append(values, v)
		}
	}
	for _, v := range values {
		native.PutString(v)
	}
}

// nullable makes room for a Nullable column of rows values of width bytes: first one byte per row that says whether it
// is NULL, then the values. It returns where each of both begins.
func nullable(native *proto.Buffer, rows, width int) (nulls, values int) {
	nulls = len(native.Buf)
	native.Buf = append(native.Buf, make([]byte, rows*(1+width))...)
	return nulls, nulls + rows
}

// milliseconds is the time as DateTime64(3) counts it.
func milliseconds(t time.Time) (int64, error) {
	if t.IsZero() {
		return 0, errors.New("no time given")
	}
	if t.Before(schema.MinTime) || t.After(schema.MaxTime) {
		return 0, fmt.Errorf("%s is outside of what the column can hold, the years 1900 to 2299",
			t.UTC().Format(time.RFC3339Nano))
	}
	return t.UnixMilli(), nil
}

// fromMilliseconds is the inverse of milliseconds.
func fromMilliseconds(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// Digits of a Decimal(38, 12).
const (
	decimalScale  = 12
	decimalDigits = 38
)

var (
	pow10 = func() (p [19]uint64) {
		p[0] = 1
		for i := 1; i < len(p); i++ {
			p[i] = p[i-1] * 10
		}
		return p
	}()
	bigTen = big.NewInt(10)
	mask64 = new(big.Int).SetUint64(1<<64 - 1)
)

// fixedPoint is the decimal times 10^12 as a 128-bit two's complement number, or an error where that would round or
// overflow. No float is ever involved (I5).
func fixedPoint(d decimal.Decimal) (low, high uint64, err error) {
	shift := int(d.Exponent()) + decimalScale
	digits := d.NumDigits()
	if d.IsZero() {
		return 0, 0, nil
	}
	if digits+shift > decimalDigits {
		return 0, 0, fmt.Errorf("the amount has %d digits before the point, the column holds %d",
			digits+int(d.Exponent()), decimalDigits-decimalScale)
	}
	if digits <= 18 && 0 <= shift && shift <= 18 {
		c := d.CoefficientInt64()
		abs := uint64(c)
		if c < 0 {
			abs = -abs
		}
		high, low = bits.Mul64(abs, pow10[shift])
		if c < 0 {
			low, high = negate(low, high)
		}
		return low, high, nil
	}
	return fixedPointBig(d, shift)
}

// fixedPointBig is fixedPoint for coefficients and scales that need more than machine words.
func fixedPointBig(d decimal.Decimal, shift int) (low, high uint64, err error) {
	v := d.Coefficient()
	if shift >= 0 {
		v.Mul(v, new(big.Int).Exp(bigTen, big.NewInt(int64(shift)), nil))
	} else {
		// A shift beyond the number of digits cannot divide evenly; it is not computed, for it may be huge.
		rest := big.NewInt(1)
		if -shift < d.NumDigits() {
			v.QuoRem(v, new(big.Int).Exp(bigTen, big.NewInt(int64(-shift)), nil), rest)
		}
		if rest.Sign() != 0 {
			return 0, 0, fmt.Errorf("the amount has more than the %d decimals that the column holds", decimalScale)
		}
	}
	negative := v.Sign() < 0
	v.Abs(v)
	low = new(big.Int).And(v, mask64).Uint64()
	high = v.Rsh(v, 64).Uint64()
	if negative {
		low, high = negate(low, high)
	}
	return low, high, nil
}

// negate is the two's complement of a 128-bit number.
func negate(low, high uint64) (uint64, uint64) {
	low, borrow := bits.Sub64(0, low, 0)
	high, _ = bits.Sub64(0, high, borrow)
	return low, high
}
