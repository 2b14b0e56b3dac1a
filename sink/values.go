package sink

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"time"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
)

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
