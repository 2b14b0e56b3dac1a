package field

import (
	"errors"
	"math/big"
	"strconv"
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

// parseMoney reads an exact amount from its characters (I5): a sign, digits, which may have commas between whole groups
// of three (public collectors clean such numbers up, so the vendor was seen to send them), a fraction and an exponent.
// What does not fit the column is an error: nothing is ever rounded.
func parseMoney(s string) (schema.Money, error) {
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

// ParseNumber reads an amount that came as a JSON number. It is read exactly, as parseMoney reads text, except for the
// dust that a vendor's serializer leaves on what it keeps in binary: 0.1 comes as 0.10000000000000001, or as
// 0.1000000000000000055511151231257827. Such a number is the shortest one of the same float64, which is what the vendor
// meant, where it has to be: it is finer than the column, it is digit by digit what a float64 looks like at its length,
// and the shortest one fits the column. Everything else that is too fine stays an error: 0.30000000000000004 is what the
// vendor has computed, and its shortest form; what it should have computed would be a guess.
func ParseNumber(s string) (schema.Money, error) {
	m, err := parseMoney(s)
	if !errors.Is(err, errTooFine) {
		return m, err
	}
	short, ok := shortest(s)
	if !ok {
		return m, err
	}
	return parseMoney(short)
}

// shortest is the shortest form of the float64 that a number was printed from; ok is false where it is the print of none,
// because it has digits that no float64 has.
func shortest(s string) (short string, ok bool) {
	const longest = 767 // no float64 has more significant digits
	sent := significant(s)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || sent == "" || len(sent) > longest {
		return "", false
	}
	if significant(strconv.FormatFloat(f, 'e', len(sent)-1, 64)) != sent {
		return "", false
	}
	return strconv.FormatFloat(f, 'f', -1, 64), true
}

// significant are the digits of a number from the first to the last one that is not zero.
func significant(s string) string {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		s = s[:i]
	}
	return strings.Trim(strings.Replace(strings.TrimLeft(s, "+-"), ".", "", 1), "0")
}

// parseExponent reads "e-7". Exponents are bounded, so that no short text can stand for a number of a million digits.
func parseExponent(s string) (int, bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	n, err := strconv.Atoi(s[1:])
	const limit = 1 << 30 // far beyond what fits; keeps the sum below from overflowing
	return max(-limit, min(n, limit)), err == nil || errors.Is(err, strconv.ErrRange)
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

// Share gives each line its part of an order's price by the list prices, where a line has no price of its own; a single line has all
// of it. Each part is cut off after twelve digits and the line with the greatest id takes what is left, so that the parts add up to
// the price and are the same in whatever order the lines come. Where one of several list prices is not known, or a part does not
// fit the column, no line gets one.
func Share(price schema.Money, items []schema.Item) {
	if !price.Valid || len(items) == 0 {
		return
	}
	list, rest := decimal.Zero, 0 // the list price of all, and who takes what is left
	for n := range items {
		if !items[n].PretaxGross.Valid && len(items) > 1 {
			return
		}
		list = list.Add(items[n].PretaxGross.Decimal)
		if items[n].ItemID > items[rest].ItemID {
			rest = n
		}
	}
	parts, left := make([]decimal.Decimal, len(items)), price.Decimal
	for n := range items {
		switch {
		case n == rest:
			continue
		case list.IsZero():
			parts[n], _ = price.Decimal.QuoRem(decimal.NewFromInt(int64(len(items))), fractionDigits)
		default:
			parts[n], _ = price.Decimal.Mul(items[n].PretaxGross.Decimal).QuoRem(list, fractionDigits)
		}
		left = left.Sub(parts[n])
	}
	parts[rest] = left
	for _, part := range parts {
		if part.NumDigits()+int(part.Exponent()) > integerDigits { // refunds among the lines can make it so
			return
		}
	}
	for n := range items {
		items[n].Pretax = decimal.NewNullDecimal(parts[n])
	}
}
