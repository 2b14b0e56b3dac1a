package field

import (
	"errors"
	"math/big"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
)

// The columns are Decimal(38, 12): 26 digits before the point and 12 after it.
const (
	integerDigits  = 26
	fractionDigits = 12
)

var (
	errNotAmount = errors.New("not an amount")
	errTooLarge  = errors.New("more than 26 digits before the decimal point")
	errTooFine   = errors.New("more than 12 digits after the decimal point")
)

// ParseMoney reads an exact amount from its characters (I5): a sign, digits, which may have commas between whole groups
// of three (public collectors clean such numbers up, so the vendor was seen to send them), a fraction and an exponent.
// What does not fit the column is an error: nothing is ever rounded.
func ParseMoney(s string) (schema.Money, error) {
	s = strings.TrimSpace(s)
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}

	// The digits are gathered in a buffer that holds every amount that fits; the value is digits × 10^exp.
	var buf [2 * (integerDigits + fractionDigits)]byte
	digits, exp, group, i := buf[:0], 0, 0, 0
	some, point, commas := false, false, false
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			some = true
			if c != '0' || len(digits) > 0 {
				digits = append(digits, c)
			}
			if point {
				exp--
			} else {
				group++
			}
			continue
		case c == ',' && !point:
			if group == 0 || group > 3 || commas && group != 3 {
				return schema.Money{}, errNotAmount
			}
			commas, group = true, 0
			continue
		case c == '.' && !point:
			if commas && group != 3 {
				return schema.Money{}, errNotAmount
			}
			point = true
			continue
		}
		break
	}
	if !some || commas && !point && group != 3 {
		return schema.Money{}, errNotAmount
	}
	if i < len(s) {
		e, ok := parseExponent(s[i:])
		if !ok || commas {
			return schema.Money{}, errNotAmount
		}
		exp += e
	}
	return exact(digits, exp, negative)
}

// parseExponent reads "e-7". Exponents are bounded, so that no short text can stand for a number of a million digits.
func parseExponent(s string) (int, bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	if s == "" {
		return 0, false
	}
	const limit = 1 << 30 // far beyond what fits; keeps the sum below from overflowing
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), limit)
	}
	if negative {
		n = -n
	}
	return n, true
}

// exact makes the value digits × 10^exp, if the column can hold it. digits has no leading zeros.
func exact(digits []byte, exp int, negative bool) (schema.Money, error) {
	if len(digits) == 0 {
		return decimal.NewNullDecimal(decimal.Zero), nil
	}
	// Zeros at the end that the column has no room for say nothing.
	for exp < -fractionDigits && digits[len(digits)-1] == '0' {
		digits, exp = digits[:len(digits)-1], exp+1
	}
	switch {
	case exp < -fractionDigits:
		return schema.Money{}, errTooFine
	case len(digits)+exp > integerDigits:
		return schema.Money{}, errTooLarge
	}
	for ; exp > 0; exp-- { // bounded by integerDigits
		digits = append(digits, '0')
	}
	if len(digits) <= 18 {
		var n int64
		for _, c := range digits {
			n = n*10 + int64(c-'0')
		}
		if negative {
			n = -n
		}
		return decimal.NewNullDecimal(decimal.New(n, int32(exp))), nil
	}
	n, ok := new(big.Int).SetString(string(digits), 10)
	if !ok {
		return schema.Money{}, errNotAmount
	}
	if negative {
		n.Neg(n)
	}
	return decimal.NewNullDecimal(decimal.NewFromBigInt(n, int32(exp))), nil
}
